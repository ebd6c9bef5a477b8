import type { Interval } from "@tandem/evals"
import type { EvalRow, RankedPassage, ReportExample, StepRow } from "@tandem/report"
import { renderReport } from "@tandem/report"
import { readUplot } from "@tandem/report/node/UplotFiles"
import { Effect } from "effect"
import { type Baseline, exampleQuestions, type Measured } from "./Baseline.ts"
import { type DprData, wholeCorpus } from "./DprData.ts"
import type { Ranked } from "./Evaluation.ts"
import { onDisk, readJson, readMetrics, runPaths, writeJson, writeWhole } from "./RunFolder.ts"

type Metrics = Readonly<Record<string, number>>

/** `report.json`. */
export interface RunReport {
  readonly format: 1
  readonly command: "dpr train"
  readonly status: "completed" | "interrupted" | "diverged"
  /** Optimizer steps done. */
  readonly steps: number
  readonly seconds: number
  readonly peakMemoryMiB: number
  readonly device: string
  /** The step whose weights were saved; absent where the run has not ended. */
  readonly savedStep?: number
  readonly baselines?: { readonly bm25: Metrics; readonly untrained: Metrics }
  readonly before?: Metrics
  readonly after?: Metrics
  /** 95 % bootstrap intervals of `after`. */
  readonly intervals?: Readonly<Record<string, Interval>>
  /** `after` minus the others, with 95 % paired bootstrap intervals. */
  readonly differences?: {
    readonly before: Readonly<Record<string, Interval>>
    readonly bm25: Readonly<Record<string, Interval>>
  }
}

/** What the page shows besides the figures. */
export interface ReportSources {
  readonly data: DprData
  readonly warnings: readonly string[]
  readonly plannedSteps: number
  readonly baseline?: Baseline
  readonly after?: Measured
}

/** Writes `report.json` and `report.html`. */
export const writeReport = Effect.fnUntraced(function* (run: string, report: RunReport, sources: ReportSources) {
  const paths = runPaths(run)
  const rows = readMetrics(paths.metrics)
  const page = renderReport(
    {
      report,
      steps: rows.flatMap(stepRow),
      evaluations: rows.flatMap(evalRow),
      examples: examples(sources),
      config: yield* readJson(paths.config),
      statistics: { train: sources.data.train.statistics, dev: sources.data.dev?.statistics },
      warnings: sources.warnings,
      plannedSteps: sources.plannedSteps,
    },
    yield* onDisk(paths.page, readUplot),
  )
  yield* writeJson(paths.report, report)
  yield* writeWhole(paths.page, page)
})

const number = (row: Readonly<Record<string, unknown>>, name: string): number =>
  typeof row[name] === "number" ? row[name] : Number.NaN

const stepRow = (row: Readonly<Record<string, unknown>>): StepRow[] =>
  "loss" in row
    ? [
        {
          step: number(row, "step"),
          epoch: number(row, "epoch"),
          loss: number(row, "loss"),
          lr: number(row, "lr"),
          gradNorm: number(row, "gradNorm"),
        },
      ]
    : []

const evalRow = (row: Readonly<Record<string, unknown>>): EvalRow[] => {
  const found = row["eval"]
  if (typeof found !== "object" || found === null) return []
  const metrics = Object.entries(found).flatMap(([name, value]) => (typeof value === "number" ? [[name, value]] : []))
  return [{ step: number(row, "step"), eval: Object.fromEntries(metrics) }]
}

/** The first evaluation questions with what each system found. */
const examples = ({ data, baseline, after }: ReportSources): ReportExample[] => {
  if (data.dev === undefined || baseline === undefined) return []
  const corpus = wholeCorpus(data)
  const passages = (ranked: readonly Ranked[] | undefined): RankedPassage[] =>
    (ranked ?? []).flatMap(({ id, score }) => {
      const passage = corpus.get(id)
      if (passage === undefined) return []
      const { text, title } = passage
      return [{ id, score, text, ...(title === undefined ? {} : { title }) }]
    })
  return data.dev.examples.slice(0, exampleQuestions).map(({ query, answers, positives }, index) => ({
    query,
    answers,
    gold: positives,
    before: passages(baseline.before.rankings[index]),
    after: passages(after?.rankings[index]),
    bm25: passages(baseline.bm25.rankings[index]),
  }))
}
