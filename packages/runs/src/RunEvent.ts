import type { ProviderUnavailable, Runtime } from "@tandem/runtime"
import type { TrainEvent } from "@tandem/trainers"
import { Effect, type Layer } from "effect"
import type { Metrics } from "./Measured.ts"

/** What happens during a run. */
export type RunEvent =
  | TrainEvent
  | {
      readonly event: "phase"
      readonly name: string
      readonly done?: number
      readonly total?: number
      /** What else there is to say of it at the moment. */
      readonly note?: string
    }
  | { readonly event: "warning"; readonly message: string }
  /** An index that was made with the weights of the step `madeAt` is searched from now on. */
  | { readonly event: "refresh"; readonly step: number; readonly madeAt: number }
  /** What training is compared with, as soon as it is measured: `before`, and others such as `bm25`. */
  | { readonly event: "baseline"; readonly name: string; readonly metrics: Metrics }

/** Hears of everything that happens. */
export type Observe = (event: RunEvent) => Effect.Effect<void>

/** How a run is watched and stopped, and what computes it. */
export interface RunOptions {
  readonly observe: Observe
  /** Asked after every step; true ends the run with a checkpoint. */
  readonly stopRequested?: Effect.Effect<boolean>
  /** The `config.json` of a run that is to be repeated: what has changed since then is warned about. */
  readonly repeats?: string
  /** What computes; where absent, the settings' device with as many threads as they say. */
  readonly runtime?: Layer.Layer<Runtime, ProviderUnavailable>
}

/** Progress of work that calls back; a callback cannot wait, so events are sent without waiting. */
export const progressTo =
  (observe: Observe) =>
  (name: string, done: number, total: number): void => {
    Effect.runFork(observe({ event: "phase", name, done, total }))
  }
