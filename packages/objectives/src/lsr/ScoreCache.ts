import { Effect } from "effect"
import type { AnswerScore, ScoredPair } from "./TaughtQuestion.ts"

/** Scores that one teacher has given, by what it read. */
export interface ScoreCache<E> {
  readonly get: (pair: ScoredPair) => AnswerScore | undefined
  /** Keeps scores for good before it returns. */
  readonly add: (scores: readonly (readonly [ScoredPair, AnswerScore])[]) => Effect.Effect<void, E>
}

/** A pair as one text: equal ones are scored once. Ids of passages play no part, texts and titles do. */
export const pairText = ({ query, answer, contexts }: ScoredPair): string =>
  JSON.stringify([query, answer, contexts.map(({ title = "", text }) => [title, text])])

/** A cache that lives as long as the program. */
export const memoryScores = (): ScoreCache<never> => {
  const known = new Map<string, AnswerScore>()
  return {
    get: (pair) => known.get(pairText(pair)),
    add: (scores) =>
      Effect.sync(() => {
        for (const [pair, score] of scores) known.set(pairText(pair), score)
      }),
  }
}
