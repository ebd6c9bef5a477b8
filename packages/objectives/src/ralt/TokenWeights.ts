import type { AnswerReduction } from "@tandem/losses"

/** An example that a loss is reduced over. */
export interface WeighedExample {
  /** w of the passage. */
  readonly weight: number
  /** Its trained tokens, T. */
  readonly tokens: number
}

/**
 * What each trained token of an example counts for, so that a loss over a whole batch is the plain sum of −weight · ℓ over all
 * tokens, in however many passes. With w[i, j] the weight of passage j of question i, v[i] that of the question, L and T the
 * log-likelihood and the tokens of an example:
 *
 *     token    −Σ_ij v[i] w[i, j] L[i, j] / Σ_ij v[i] w[i, j] T[i, j]
 *     example  −Σ_i v[i] (Σ_j w[i, j] L[i, j] / T[i, j] / Σ_j w[i, j]) / Σ_i v[i], i over the questions with Σ_j w[i, j] ≠ 0
 *     sum      −Σ_ij v[i] w[i, j] L[i, j]
 *
 * Where all weights are 0, so are these.
 */
export const tokenWeights = (
  questions: readonly { readonly weight: number; readonly examples: readonly WeighedExample[] }[],
  reduction: AnswerReduction,
): readonly (readonly number[])[] => {
  const each = (weigh: (example: WeighedExample, question: (typeof questions)[number]) => number) =>
    questions.map((question) => question.examples.map((example) => weigh(example, question)))
  const plain = each(({ weight }, question) => question.weight * weight)
  if (reduction === "sum") return plain
  if (reduction === "token") {
    const counted = each(({ weight, tokens }, question) => question.weight * weight * tokens)
    const total = sum(counted.flat())
    return plain.map((weights) => weights.map((weight) => ratio(weight, total)))
  }
  const shares = questions.map(({ examples }) => sum(examples.map(({ weight }) => weight)))
  const total = sum(questions.map(({ weight }, index) => (shares[index] === 0 ? 0 : weight)))
  return questions.map(({ weight: v, examples }, index) =>
    examples.map(({ weight, tokens }) => ratio(v * weight, total * (shares[index] ?? 0) * tokens)),
  )
}

const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)

const ratio = (value: number, by: number): number => (by === 0 ? 0 : value / by)
