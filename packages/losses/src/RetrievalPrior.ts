import type { GraphBuilder, Value } from "@tandem/onnx"
import { absent, keepWhere, requireMask } from "./internal/Scores.ts"
import { requireTemperature } from "./internal/Temperatures.ts"

export interface RetrievalPriorOptions {
  /** τ_R, divides the scores (default 1); not for scores that a temperature has divided already. */
  readonly temperature?: number
  /** Of the scores' shape, `bool`: true where there is a passage. A question that has fewer than k is filled up; all where absent. */
  readonly present?: Value
}

/**
 * The prior of retrieved passages, log p_R(z | x), from their scores.
 *
 *     log p_R,i = s_i / τ_R − logsumexp_{j present} s_j / τ_R
 *
 * `scores` is `[B, k] f32`, or of any shape whose last axis is the passages (`[B, segments, k]` for renewed retrieval), and
 * so is the result, in nats. Gradients flow to the scores.
 *
 * A place without a passage has the log-probability −1e30: finite, so that no −∞ − −∞ becomes NaN, and low enough that its
 * probability and the gradient through it are exactly 0, whatever score stands there (but NaN). A question that has no
 * passage at all has the same prior at each place: give all of them the prompt without a passage, and every marginal
 * likelihood is the generator's own.
 *
 * Source: Lewis et al. 2020, "Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks", section 2.2.
 *
 * @throws InvalidGraph where the temperature is not a positive number or the mask does not fit
 *
 * @example
 * ```ts
 * import { retrievalLogPrior } from "@tandem/losses"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const scores = g.input("scores", "float32", [8, 5])
 * const logPrior = retrievalLogPrior(g, scores, { temperature: 0.05, present: g.input("present", "bool", [8, 5]) })
 * console.log(g.build({ logPrior }).outputs[0]?.dims) // [ 8, 5 ]
 * ```
 */
export const retrievalLogPrior = (
  g: GraphBuilder,
  scores: Value,
  { temperature = 1, present }: RetrievalPriorOptions = {},
): Value =>
  g.scope("retrievalLogPrior", () => {
    requireTemperature(temperature)
    requireMask(present, scores, "present")
    const divided = temperature === 1 ? scores : g.mul(scores, g.scalar(1 / temperature))
    if (present === undefined) return g.logSoftmax(divided)
    return g.where(
      g.op("Or", [present, without(g, present)])[0]!,
      g.logSoftmax(keepWhere(g, present, divided)),
      g.scalar(absent),
    )
  })

/** True for all places of a row that has none. */
const without = (g: GraphBuilder, present: Value): Value =>
  g.less(g.reduceMax(g.cast(present, "float32"), [-1], true), g.scalar(0.5))

/**
 * Which passage an answer came from, once the answer is known: p(z_i | x, y) ∝ p_R,i exp L_i.
 *
 * `logPrior` is that of {@link retrievalLogPrior}, `logLikelihood` of its shape (`[B, k] f32` of whole answers, for tokens
 * one of more axes before the passages'); the result has the same shape and sums to 1 along the last axis. Its difference to
 * the prior is what RAG-Sequence teaches the retriever: ∂loss/∂s_i = (p_R,i − posterior_i) / τ_R.
 */
export const passagePosterior = (g: GraphBuilder, logPrior: Value, logLikelihood: Value): Value =>
  g.scope("passagePosterior", () => g.softmax(g.add(logPrior, logLikelihood)))
