import { type EvalRow, type ReportExample, renderReport, type StepRow } from "@tandem/report"
import { readUplot } from "@tandem/report/node/UplotFiles"
import { Effect } from "effect"
import type { RunReport } from "../RunReport.ts"
import { readMetrics } from "./MetricsFile.ts"
import { onDisk, readJson, writeJson, writeWhole } from "./RunFiles.ts"
import { runPaths } from "./RunFolder.ts"

/** What the page shows besides the figures. */
export interface ReportSources {
  readonly statistics: unknown
  readonly warnings: readonly string[]
  readonly plannedSteps: number
  readonly examples: readonly ReportExample[]
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
      config: yield* readJson(paths.config),
      ...sources,
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
