import type { Tensor } from "@tandem/onnx"
import { Context, Effect, Layer, Option, Schema } from "effect"
import type { CheckpointFailed } from "./Errors.ts"

/** What a run must remember besides tensors to go on exactly. Data order and masks follow from the seed and `step`. */
export const TrainState = Schema.Struct({
  format: Schema.Literal(2),
  /** Optimizer steps done. */
  step: Schema.Number,
  /** Identity of settings, model and data; a checkpoint of another run is refused. */
  fingerprint: Schema.String,
  best: Schema.NullOr(Schema.Struct({ step: Schema.Number, value: Schema.Number })),
  /** Evaluations since the best one, for early stopping. */
  stale: Schema.Number,
})
export type TrainState = typeof TrainState.Type

/** What else a run remembers under a name of its own: an index under way, a cache's position. */
export interface StateContents {
  readonly tensors: ReadonlyMap<string, Tensor>
  /** Anything that JSON can hold. */
  readonly json: unknown
}

/** A moment of a run. Tensors by parameter name. */
export interface Checkpoint {
  readonly state: TrainState
  readonly weights: ReadonlyMap<string, Tensor>
  /** The optimizer's memory, by slot. */
  readonly slots: Readonly<Record<string, ReadonlyMap<string, Tensor>>>
  readonly parts: Readonly<Record<string, StateContents>>
}

/** Keeps the last and the best checkpoint of a run. */
export class Checkpoints extends Context.Service<
  Checkpoints,
  {
    /** Writes a checkpoint whole or not at all, then drops those that are neither the last nor the best. */
    readonly save: (checkpoint: Checkpoint) => Effect.Effect<void, CheckpointFailed>
    readonly last: Effect.Effect<Option.Option<Checkpoint>, CheckpointFailed>
    /** The checkpoint of a step. */
    readonly at: (step: number) => Effect.Effect<Option.Option<Checkpoint>, CheckpointFailed>
  }
>()("@tandem/trainers/Checkpoints") {
  /** Checkpoints that live as long as the layer. */
  static readonly layerMemory: Layer.Layer<Checkpoints> = Layer.sync(Checkpoints, () => {
    const kept = new Map<number, Checkpoint>()
    return {
      save: (checkpoint) =>
        Effect.sync(() => {
          kept.set(checkpoint.state.step, checkpoint)
          for (const step of superseded([...kept.keys()], checkpoint.state)) kept.delete(step)
        }),
      last: Effect.sync(() => Option.fromNullishOr(kept.get(Math.max(...kept.keys())))),
      at: (step) => Effect.sync(() => Option.fromNullishOr(kept.get(step))),
    }
  })
}

/** Of the steps that have checkpoints, those that are neither the last nor the best. */
export const superseded = (steps: readonly number[], state: TrainState): number[] =>
  steps.filter((step) => step !== state.step && step !== state.best?.step)
