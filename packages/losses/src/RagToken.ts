import type { GraphBuilder, Value } from "@tandem/onnx"
import { logSumExp, orZero, sizesOf } from "./internal/Marginals.ts"
import { type RagLoss, type RagLossOptions, ragLoss, requireSmoothing } from "./RagLoss.ts"
import { type RagInputs, ragAnswers } from "./RagSequence.ts"
import { passagePosterior } from "./RetrievalPrior.ts"

export interface RagToken extends RagLoss {
  /** `[B, T] f32`: log p(y_t | x, y_<t), the passages summed out; 0 where the mask is 0. */
  readonly perToken: Value
  /** `[B, T, k] f32`: p(z_i | x, y_≤t), how much of each token comes from each passage; the prior where the mask is 0. */
  readonly posterior: Value
}

/**
 * RAG-Token: each token of the answer may come from another passage.
 *
 *     loss_b = −Σ_t m[b, t] logsumexp_i ( log p_R[b, i] + ℓ[b, i, t] )  = −Σ_t log Σ_i p_R(z_i | x) p(y_t | x, z_i, y_<t)
 *
 * A product over tokens of sums over passages: summaries that print ΣΠ print {@link ragSequence}.
 *
 * Reduction: the mean over questions whose answer has a token, in nats; `token` divides the sum by the number of all their
 * tokens instead, `sum` by nothing. Gradients flow to `logPrior` and `logLikelihood`:
 *
 *     ∂loss_b/∂ℓ[i, t] = −m_t posterior[t, i],  by the scores behind the prior Σ_t m_t (p_R,i − posterior[t, i]) / τ_R
 *
 * A place without a passage (`retrievalLogPrior`'s `present`) changes nothing and has a gradient of exactly 0.
 *
 * Label smoothing, `loss_b = (1 − ε) · nll_b − (ε / V) Σ_t m[b, t] Σ_v ln Σ_i p_R,i p[b, i, t, v]`, sums the
 * logarithms of probabilities that are marginal already: `vocabularySums` `[B, T]` are those of
 * `marginalLogProbabilities`, which costs two further tensors of the logits' size.
 *
 * Stability: log-likelihoods of any size; nothing is exponentiated before the largest is taken off.
 *
 * Siblings: {@link ragSequence}, in which one passage explains the whole answer; {@link ragTokenRenewed}, which retrieves
 * again as the answer grows; `emdr2` by tokens, this loss with a generator that stays as it is.
 *
 * Source: Lewis et al. 2020, "Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks", section 2.1; smoothing as in
 * transformers' `RagTokenForGeneration.get_nll`.
 *
 * @throws InvalidGraph where shapes or types do not fit one another, or a size is not known
 *
 * @example
 * ```ts
 * import { ragToken, retrievalLogPrior } from "@tandem/losses"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const logPrior = retrievalLogPrior(g, g.input("scores", "float32", [2, 3]))
 * const logLikelihood = g.input("log_likelihood", "float32", [2, 3, 12])
 * const mask = g.input("mask", "bool", [2, 12])
 * const { loss, posterior } = ragToken(g, { logPrior, logLikelihood, mask })
 * console.log(g.build({ loss, posterior }).outputs.map(({ dims }) => dims)) // [ [], [ 2, 12, 3 ] ]
 * ```
 */
export const ragToken = (g: GraphBuilder, inputs: RagInputs, options: RagLossOptions = {}): RagToken =>
  g.scope("ragToken", () => {
    const { mask, sizes } = ragAnswers(g, inputs)
    const [batch = 0, k = 0] = sizes
    const likelihoods = g.transpose(orZero(g, g.unsqueeze(mask, [1]), inputs.logLikelihood), [0, 2, 1])
    return marginalTokens(g, { logPrior: g.reshape(inputs.logPrior, [batch, 1, k]), likelihoods, mask }, options)
  })

/** What is summed over passages token by token. */
export interface TokenTerms {
  /** `[B, T, k] f32`, or `[B, 1, k]` where all tokens share it. */
  readonly logPrior: Value
  /** `[B, T, k] f32`, finite everywhere. */
  readonly likelihoods: Value
  /** `[B, T] bool` */
  readonly mask: Value
}

/** The loss of tokens each of which has passages of its own. */
export const marginalTokens = (
  g: GraphBuilder,
  { logPrior, likelihoods, mask }: TokenTerms,
  options: RagLossOptions,
): RagToken => {
  const [batch = 0, tokens = 0] = sizesOf(likelihoods, "likelihoods", ["B", "T", "k"])
  const smoothing = requireSmoothing(options.smoothing, [batch, tokens])
  const perToken = orZero(g, mask, logSumExp(g, g.add(logPrior, likelihoods), 2))
  const overTokens = (values: Value): Value => g.reduceSum(values, [1], false)
  const terms = {
    counts: overTokens(g.cast(mask, "float32")),
    logLikelihood: overTokens(perToken),
    smoothed: smoothing && overTokens(orZero(g, mask, smoothing.vocabularySums)),
  }
  return { ...ragLoss(g, terms, options), perToken, posterior: passagePosterior(g, logPrior, likelihoods) }
}
