import { bootstrapMean, pairedBootstrap } from "@tandem/evals"
import { saveEncoder } from "@tandem/models/node/SaveEncoder"
import type { Tensor } from "@tandem/onnx"
import { encodeCorpus, encoderOf, type Side, type Towers, towerName } from "@tandem/retriever"
import { Runtime } from "@tandem/runtime"
import { Exact } from "@tandem/store"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import type { TrainResult } from "@tandem/trainers"
import { Effect } from "effect"
import { type Baseline, type Measured, measured } from "./Baseline.ts"
import { type DprData, wholeCorpus } from "./DprData.ts"
import { type DprOptions, progressTo } from "./DprEvent.ts"
import { evaluateTowers, type SystemResult } from "./Evaluation.ts"
import { runPaths } from "./RunFolder.ts"
import type { RetrievalSettings } from "./SearchTowers.ts"
import type { DprSettings } from "./Settings.ts"
import { searchTowers } from "./Towers.ts"
import { type RunReport, writeReport } from "./WriteReport.ts"

/** What the end of a run works with. */
export interface Finished {
  readonly settings: DprSettings
  readonly data: DprData
  readonly towers: Towers
  readonly retrieval: RetrievalSettings
  readonly result: TrainResult
  readonly baseline: Baseline | undefined
  readonly warnings: readonly string[]
  readonly plannedSteps: number
  /** `performance.now()` at the start. */
  readonly began: number
  /** The last evaluation of this process and its step. */
  readonly latest: { readonly step: number; readonly result: SystemResult } | undefined
  readonly observe: DprOptions["observe"]
}

/** Saves the weights of the best evaluation (without evaluations, the last ones), indexes the corpus and reports. */
export const finish = Effect.fnUntraced(function* (run: Finished) {
  const { settings, data, towers, retrieval, result, latest, observe } = run
  const paths = runPaths(settings.out)
  const kept = result.best?.weights ?? result.last
  const step = result.best?.step ?? result.steps
  const weights = Object.fromEntries(kept)
  const progress = progressTo(observe)
  const dev = data.dev
  const after: Measured | undefined =
    dev === undefined
      ? undefined
      : measured(
          latest?.step === step
            ? latest.result
            : yield* evaluateTowers(searchTowers(towers, weights), dev, retrieval, progress),
        )
  // The query encoder comes last: where it is, the run can be searched.
  yield* index(run, weights, progress)
  yield* observe({ event: "phase", name: "saving the model" })
  if (towers.kind === "untied") {
    yield* saveEncoder(paths.passageRetriever, encoderOf(towers, "passage"), parametersOf(towers, "passage", kept))
  }
  yield* saveEncoder(paths.retriever, encoderOf(towers, "query"), parametersOf(towers, "query", kept))
  const { device } = yield* Runtime
  const report: RunReport = {
    format: 1,
    command: "dpr train",
    status: "completed",
    steps: result.steps,
    seconds: (performance.now() - run.began) / 1000,
    peakMemoryMiB: peakMemoryMiB(),
    device: `${device.provider}, ${device.threads} threads`,
    savedStep: step,
    ...(run.baseline === undefined || after === undefined
      ? {}
      : {
          baselines: { bm25: run.baseline.bm25.metrics, untrained: run.baseline.before.metrics },
          before: run.baseline.before.metrics,
          after: after.metrics,
          intervals: intervals(after),
          differences: { before: compare(after, run.baseline.before), bm25: compare(after, run.baseline.bm25) },
        }),
  }
  yield* writeReport(settings.out, report, {
    data,
    warnings: run.warnings,
    plannedSteps: run.plannedSteps,
    ...(run.baseline === undefined ? {} : { baseline: run.baseline }),
    ...(after === undefined ? {} : { after }),
  })
  return report
})

const parametersOf = (towers: Towers, side: Side, kept: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> =>
  new Map(
    [...encoderOf(towers, side).parameters].map(
      ([name, own]) => [name, kept.get(towerName(towers, side, name)) ?? own] as const,
    ),
  )

/** Encodes every passage of the run and writes the index that `tandem dpr search` opens. */
const index = Effect.fnUntraced(function* (
  { settings, data, towers, retrieval }: Finished,
  weights: Readonly<Record<string, Tensor>>,
  progress: (name: string, done: number, total: number) => void,
) {
  const { passage } = searchTowers(towers, weights)
  const passages = [...wholeCorpus(data).values()]
  const contents = yield* encodeCorpus(
    { passage, ...retrieval, onProgress: (done, total) => progress("indexing passages", done, total) },
    passages,
  )
  const store = yield* Exact.make(contents.identity)
  yield* store.replace(contents)
  yield* store.snapshot(nodeFolder(runPaths(settings.out).store))
})

/** Differences with their 95 % paired bootstrap intervals, for the figures that both have. */
const compare = (a: Measured, b: Measured) =>
  Object.fromEntries(
    Object.entries(a.perQuestion).flatMap(([name, values]) => {
      const other = b.perQuestion[name]
      return other === undefined ? [] : [[name, pairedBootstrap(values, other)] as const]
    }),
  )

/** Each figure's own 95 % bootstrap interval over the questions. */
const intervals = ({ perQuestion }: Measured) =>
  Object.fromEntries(Object.entries(perQuestion).map(([name, values]) => [name, bootstrapMean(values)]))

/** The largest resident set of this process so far. */
export const peakMemoryMiB = (): number => Math.round(process.resourceUsage().maxRSS / 1024)
