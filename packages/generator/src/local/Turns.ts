import { Effect, type Semaphore } from "effect"
import type { Engine } from "./Engine.ts"

/** An engine whose every run waits for its turn, so that texts that are written at once go on step by step beside each other. */
export const inTurns = (engine: Engine, turn: Semaphore.Semaphore): Engine => ({
  ...engine,
  scorer: (beginnings) =>
    Effect.map(turn.withPermit(engine.scorer(beginnings)), (score) => (rows) => turn.withPermit(score(rows))),
  read: (prompts) =>
    Effect.map(turn.withPermit(engine.read(prompts)), (reading) => ({
      ...reading,
      write: (rows, capacity) =>
        Effect.map(turn.withPermit(reading.write(rows, capacity)), ({ step, reorder }) => ({
          step: (tokens, column) => turn.withPermit(step(tokens, column)),
          reorder: (parents) => turn.withPermit(reorder(parents)),
        })),
    })),
})
