import type { DataWarning } from "./DataWarning.ts"
import type { Example } from "./Example.ts"
import { wordsOf } from "./internal/Words.ts"

/**
 * Warnings about training and evaluation examples: questions that stand in both sets, and questions that stand more
 * than once in the training set. Questions are compared by their words, without case, accents and punctuation.
 */
export const overlapWarnings = (
  train: readonly Example[],
  evaluation: readonly Example[] = [],
): readonly DataWarning[] => {
  const seen = new Set<string>()
  const repeated: string[] = []
  for (const { id, query } of train) {
    const words = wordsOf(query)
    if (seen.has(words)) repeated.push(id)
    seen.add(words)
  }
  const shared = evaluation.filter(({ query }) => seen.has(wordsOf(query))).map(({ id }) => id)
  return [
    ...warning(
      "question-in-both-sets",
      shared,
      evaluation.length,
      "evaluation questions also stand in the training set",
    ),
    ...warning("duplicate-question", repeated, train.length, "training questions repeat an earlier one"),
  ]
}

const warning = (
  kind: DataWarning["kind"],
  ids: readonly string[],
  total: number,
  what: string,
): readonly DataWarning[] =>
  ids.length === 0
    ? []
    : [{ kind, count: ids.length, examples: ids.slice(0, 5), message: `${ids.length} of ${total} ${what}` }]
