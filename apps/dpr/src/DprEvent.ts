import type { ProviderUnavailable, Runtime } from "@tandem/runtime"
import type { TrainEvent } from "@tandem/trainers"
import { Effect, type Layer } from "effect"

/** What happens during a run. */
export type DprEvent =
  | TrainEvent
  | { readonly event: "phase"; readonly name: string; readonly done?: number; readonly total?: number }
  | { readonly event: "warning"; readonly message: string }

/** How a run is watched and stopped, and what computes it. */
export interface DprOptions {
  readonly observe: (event: DprEvent) => Effect.Effect<void>
  /** Asked after every step; true ends the run with a checkpoint. */
  readonly stopRequested?: Effect.Effect<boolean>
  /** What computes; where absent, the settings' device with as many threads as they say. */
  readonly runtime?: Layer.Layer<Runtime, ProviderUnavailable>
}

/** Progress of an evaluation as events; a callback cannot wait, so they are sent without waiting. */
export const progressTo =
  (observe: DprOptions["observe"]) =>
  (name: string, done: number, total: number): void => {
    Effect.runFork(observe({ event: "phase", name, done, total }))
  }
