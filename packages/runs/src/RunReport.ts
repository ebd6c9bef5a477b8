import type { Interval } from "@tandem/evals"
import type { Metrics } from "./Measured.ts"

/** `report.json`. */
export interface RunReport {
  readonly format: 1
  /** Such as `dpr train`. */
  readonly command: string
  readonly status: "completed" | "interrupted" | "diverged"
  /** Optimizer steps done. */
  readonly steps: number
  readonly seconds: number
  readonly peakMemoryMiB: number
  readonly device: string
  /** The step whose weights were saved; absent where the run has not ended. */
  readonly savedStep?: number
  /** `untrained`, and what else the run was compared with. */
  readonly baselines?: Readonly<Record<string, Metrics>>
  readonly before?: Metrics
  readonly after?: Metrics
  /** The result in other forms, such as `q8`: weights of 8 bits. */
  readonly variants?: Readonly<Record<string, Metrics>>
  /** 95 % bootstrap intervals of `after`. */
  readonly intervals?: Readonly<Record<string, Interval>>
  /** `after` minus `before` and each baseline, with 95 % paired bootstrap intervals. */
  readonly differences?: {
    readonly before: Readonly<Record<string, Interval>>
    readonly [baseline: string]: Readonly<Record<string, Interval>>
  }
}
