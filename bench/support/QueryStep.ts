// Steps of a query encoder alone: programs by the shapes of their batches, over one state of all its weights.
import type { Encoder } from "@tandem/models"
import type { LsrBatch } from "@tandem/objectives"
import { joinParts } from "@tandem/onnx"
import { adamW, makeTrainStep, optimize, type Program, residentState, type TrainStep } from "@tandem/trainers"
import { Effect } from "effect"

export const queryStep = Effect.fnUntraced(function* <E, R>(
  encoder: Encoder,
  learningRate: number,
  programOf: (batch: LsrBatch) => Effect.Effect<Program, E, R>,
) {
  const parameters = joinParts({ query: encoder.parameters })
  const state = yield* residentState(parameters, [...parameters.keys()], { optimizer: adamW(), handOver: true })
  const compiled = new Map<string, TrainStep>()
  let done = 0
  const prepare = Effect.fnUntraced(function* (batch: LsrBatch) {
    const known = compiled.get(batch.key)
    if (known !== undefined) return known
    const made = yield* makeTrainStep(yield* programOf(batch), state)
    compiled.set(batch.key, made)
    return made
  })
  return {
    prepare,
    /** Forward, backward, clip and AdamW; the loss. */
    step: Effect.fnUntraced(function* (batch: LsrBatch) {
      const { loss } = yield* (yield* prepare(batch)).run(batch, { seed: 0, step: done })
      yield* optimize(state, { optimizer: adamW() }, { learningRate, count: ++done })
      return loss
    }),
  }
})
