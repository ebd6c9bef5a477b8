/** Whether each token may come from another passage (RAG-Token), or one passage explains the whole answer (RAG-Sequence). */
export type Mixture = "token" | "sequence"

/** An answer's likelihood with the passages summed out. */
export interface MarginalScore {
  /** log p of each token given those before it, nats. */
  readonly perToken: readonly number[]
  /** Their sum, log p(answer | question). */
  readonly logprob: number
  /**
   * For each token what each passage contributes: under `token` p(z_i | x, y_≤t) by this token alone, under `sequence` by all
   * tokens up to it. Sums to 1.
   */
  readonly weights: readonly (readonly number[])[]
  /** p(z_i | x, y) of the whole answer; under `token` the mean of the tokens' weights. */
  readonly posterior: readonly number[]
}

/**
 * Sums passages out of an answer's likelihoods under each of them:
 *
 *     token     log p(y) = Σ_t log Σ_i p_i p(y_t | x, z_i, y_<t)
 *     sequence  log p(y) = log Σ_i p_i Π_t p(y_t | x, z_i, y_<t)
 *
 * `logPrior` holds log p_i, k numbers; `perPassage` k rows of as many numbers as the answer has tokens, nats. A passage of
 * probability 0 (−∞) changes nothing. The losses of the same names train what this measures.
 *
 * @see Lewis et al., Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks, 2020, section 2.1
 *
 * @example
 * ```ts
 * import { marginalScore } from "@tandem/generator"
 *
 * const prior = [0.6, 0.4].map(Math.log)
 * const likelihoods = [[0.9, 0.8, 0.9, 0.8].map(Math.log), [0.9, 0.8, 0.9, 0.2].map(Math.log)]
 * console.log(Math.exp(marginalScore(prior, likelihoods, "sequence").logprob).toFixed(5)) // 0.36288
 * ```
 */
export const marginalScore = (
  logPrior: readonly number[],
  perPassage: readonly (readonly number[])[],
  mixture: Mixture,
): MarginalScore => {
  const tokens = perPassage[0]?.length ?? 0
  const perToken: number[] = []
  const weights: (readonly number[])[] = []
  let sums = logPrior
  let before = logSumExp(logPrior)
  for (let token = 0; token < tokens; token++) {
    sums = (mixture === "token" ? logPrior : sums).map((sum, passage) => sum + perPassage[passage]![token]!)
    const after = logSumExp(sums)
    perToken.push(after - before)
    weights.push(sums.map((sum) => Math.exp(sum - after)))
    if (mixture === "sequence") before = after
  }
  const prior = logPrior.map((each) => Math.exp(each - logSumExp(logPrior)))
  const mean = (passage: number): number => weights.reduce((sum, each) => sum + each[passage]!, 0) / tokens
  return {
    perToken,
    logprob: perToken.reduce((sum, each) => sum + each, 0),
    weights,
    posterior:
      tokens === 0 ? prior : mixture === "token" ? logPrior.map((_, passage) => mean(passage)) : weights.at(-1)!,
  }
}

/** log Σ exp, of numbers of any size. */
export const logSumExp = (values: readonly number[]): number => {
  const most = Math.max(...values)
  if (most === Number.NEGATIVE_INFINITY) return most
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0))
}

/** log softmax of similarities over τ: a passage's prior. None gives none. */
export const logPriorOf = (scores: readonly number[], temperature: number): readonly number[] => {
  const divided = scores.map((score) => score / temperature)
  const total = logSumExp(divided)
  return divided.map((each) => each - total)
}
