// Training steps one after the other: forward, backward, clip, AdamW.
import { adamW, type Batch, optimize, type ResidentState, type TrainStep } from "@tandem/trainers"
import { Effect } from "effect"
import { answer, type Prepared } from "./Answer.ts"

export interface NextStep {
  readonly compiled: TrainStep
  readonly batch: Batch
}

/** Takes the next step each time it is run, and gives its loss; `next` is told how many were taken before. */
export const trainingSteps = (state: ResidentState, learningRate: number, next: (done: number) => NextStep) => {
  let done = 0
  return Effect.gen(function* () {
    const { compiled, batch } = next(done)
    const { loss } = yield* compiled.run(batch, { seed: 0, step: done })
    done++
    yield* optimize(state, { optimizer: adamW() }, { learningRate, count: done })
    return loss
  })
}

/** Takes one step, and then `steps` of them in each round that it is told to work. */
export const answerWithSteps = Effect.fnUntraced(function* <E, R>(
  step: Effect.Effect<number, E, R>,
  steps: number,
  prepared: Prepared = {},
) {
  const context = yield* Effect.context<R>()
  const run = (): Promise<number> => Effect.runPromise(Effect.provide(step, context))
  const round = async () => {
    const started = performance.now()
    const values: number[] = []
    for (let i = 0; i < steps; i++) values.push(await run())
    return { seconds: (performance.now() - started) / 1000 / steps, values }
  }
  yield* Effect.promise(async () => {
    await run()
    await answer(round, prepared)
  })
})
