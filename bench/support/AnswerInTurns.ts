import { Effect } from "effect"
import { answer, type Prepared, type Worked } from "./Answer.ts"
import { Turns } from "./Turns.ts"

/**
 * Answers for a training that runs by itself and is held up at the end of each turn. The first turn is its preparation;
 * each round is one more. When no more rounds are asked for, the training is interrupted and the process ends.
 */
export const answerInTurns = async (
  training: (turns: Turns) => Effect.Effect<unknown, unknown>,
  round: (turn: () => Promise<void>) => Promise<Worked>,
  prepared: Prepared = {},
): Promise<void> => {
  const turns = new Turns()
  const ended = new AbortController()
  const running = Effect.runPromise(training(turns), { signal: ended.signal }).catch((cause: unknown) => {
    if (ended.signal.aborted) return
    console.error(cause)
    process.exit(1)
  })
  await turns.ended()
  const turn = (): Promise<void> => {
    turns.begin()
    return turns.ended()
  }
  await answer(() => round(turn), prepared)
  ended.abort()
  await running
  process.exit(0)
}
