import type { Interval } from "@tandem/evals"

/** Figures in 0 to 1 by name; `n` is the number of questions. */
export type Metrics = Readonly<Record<string, number>>

/** `report.json`, as far as the page reads it; a run that has not ended yet lacks most of it. */
export interface ReportJson {
  readonly format: 1
  readonly command: string
  readonly status: "running" | "interrupted" | "diverged" | "completed"
  readonly steps: number
  readonly seconds: number
  readonly peakMemoryMiB: number
  readonly device?: string
  /** The step whose weights were saved. */
  readonly savedStep?: number
  readonly baselines?: { readonly bm25?: Metrics; readonly untrained?: Metrics }
  readonly before?: Metrics
  readonly after?: Metrics
  /** `after` minus the others, with 95 % paired bootstrap intervals. */
  readonly differences?: {
    readonly before?: Readonly<Record<string, Interval>>
    readonly bm25?: Readonly<Record<string, Interval>>
  }
}

/** A row of `metrics.jsonl` about an optimizer step. */
export interface StepRow {
  readonly step: number
  readonly epoch: number
  readonly loss: number
  readonly lr: number
  readonly gradNorm: number
}

/** A row of `metrics.jsonl` about an evaluation. */
export interface EvalRow {
  readonly step: number
  readonly eval: Metrics
}

/** A passage as the page shows it. */
export interface RankedPassage {
  readonly id: string
  readonly score: number
  readonly text: string
  readonly title?: string
}

/** A question with what each system found, best first. */
export interface ReportExample {
  readonly query: string
  readonly answers: readonly string[]
  /** Ids of the passages that answer it. */
  readonly gold: readonly string[]
  readonly before: readonly RankedPassage[]
  readonly after: readonly RankedPassage[]
  readonly bm25: readonly RankedPassage[]
}

/** Everything that `report.html` shows. Nothing in it is trusted: passages may hold any text. */
export interface ReportData {
  readonly report: ReportJson
  readonly steps: readonly StepRow[]
  readonly evaluations: readonly EvalRow[]
  readonly examples: readonly ReportExample[]
  /** `config.json`: settings, versions and hashes are shown as they stand there. */
  readonly config: unknown
  /** Counts of the data, such as `{ train: {…}, dev: {…} }`. */
  readonly statistics: unknown
  readonly warnings: readonly string[]
  /** Steps that the run will have, where it has not ended yet. */
  readonly plannedSteps?: number
}

/** What is inlined into the page, so that it needs no network. */
export interface ReportAssets {
  readonly uplotScript: string
  readonly uplotStyle: string
}
