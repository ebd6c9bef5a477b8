import type { Interval } from "@tandem/evals"
import { Effect } from "effect"
import type { Baseline, Measured } from "./Baseline.ts"
import type { DprData } from "./DprData.ts"
import { runPaths, writeJson } from "./RunFolder.ts"

type Metrics = Readonly<Record<string, number>>

/** `report.json`. */
export interface RunReport {
  readonly format: 1
  readonly command: "dpr train"
  readonly status: "completed"
  readonly steps: number
  readonly seconds: number
  readonly peakMemoryMiB: number
  readonly device: string
  /** The step whose weights were saved. */
  readonly savedStep: number
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
  readonly compared?: Baseline & { readonly after: Measured }
}

/** Writes `report.json` and `report.html`. */
export const writeReport = Effect.fnUntraced(function* (run: string, report: RunReport, _sources: ReportSources) {
  yield* writeJson(runPaths(run).report, report)
})
