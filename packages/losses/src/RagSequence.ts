import type { GraphBuilder, Value } from "@tandem/onnx"
import { asTruth, logSumExp, orZero, requireShape, sizesOf } from "./internal/Marginals.ts"
import { type RagLoss, type RagLossOptions, ragLoss, requireSmoothing } from "./RagLoss.ts"
import { passagePosterior } from "./RetrievalPrior.ts"

/** What the losses over the k passages of each question read. */
export interface RagInputs {
  /** `[B, k] f32`: log p_R of `retrievalLogPrior`. */
  readonly logPrior: Value
  /**
   * `[B, k, T] f32`: ℓ[b, i, t] = log p(y_t | x_b, z_i, y_<t), the answer's tokens under each passage, of
   * `answerLogLikelihood`. Anything may stand where the mask is 0.
   */
  readonly logLikelihood: Value
  /** `[B, T]`, `bool` or `f32`: true, or not 0, where the token is part of the answer. It does not weigh. */
  readonly mask: Value
}

export interface RagSequenceOptions extends RagLossOptions {
  /**
   * `huggingface` has the prior count where the answer's second token is and nowhere else, as transformers' RagModel adds
   * it: the same for answers of two tokens or more, but an answer of one has no prior. For comparisons only; default `paper`.
   */
  readonly compat?: "paper" | "huggingface"
}

export interface RagSequence extends RagLoss {
  /** `[B, k] f32`: p(z_i | x, y), the passages' probabilities once the answer is known. */
  readonly posterior: Value
}

/**
 * RAG-Sequence: one passage explains the whole answer, and which one is summed out.
 *
 *     L[b, i]  = Σ_t m[b, t] ℓ[b, i, t]
 *     loss_b   = −logsumexp_i ( log p_R[b, i] + L[b, i] )  = −log Σ_i p_R(z_i | x) Π_t p(y_t | x, z_i, y_<t)
 *
 * Reduction: the mean over questions whose answer has a token, in nats; `token` divides the sum by the number of all their
 * tokens instead, `sum` by nothing. Gradients flow to `logPrior` and `logLikelihood`:
 *
 *     ∂loss_b/∂log p_R,i = ∂loss_b/∂L_i = −posterior_i,  by the scores behind the prior (p_R,i − posterior_i) / τ_R
 *
 * so that the retriever learns which passages explain the answer, and the generator reads most from those. A place without
 * a passage (`retrievalLogPrior`'s `present`) changes nothing and has a gradient of exactly 0.
 *
 * Label smoothing: `vocabularySums` `[B, k, T]` are `answerLogLikelihood`'s. The prior is part of every entry's
 * log-probability, so the sum over the vocabulary holds it V times, and its weight in the loss stays 1:
 *
 *     loss_b = (1 − ε) · nll_b − (ε / V) · logsumexp_i ( V · log p_R[b, i] + Σ_t m[b, t] Σ_v ln p[b, i, t, v] )
 *
 * Stability: log-likelihoods of any size; nothing is exponentiated before the largest is taken off.
 *
 * Siblings: {@link ragToken}, in which each token may come from another passage; `emdr2`, this loss with a generator that
 * stays as it is.
 *
 * Source: Lewis et al. 2020, "Retrieval-Augmented Generation for Knowledge-Intensive NLP Tasks", section 2.1; smoothing as in
 * transformers' `RagSequenceForGeneration.get_nll`.
 *
 * @throws InvalidGraph where shapes or types do not fit one another, or a size is not known
 *
 * @example
 * ```ts
 * import { answerLogLikelihood, ragSequence, retrievalLogPrior } from "@tandem/losses"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const logPrior = retrievalLogPrior(g, g.input("scores", "float32", [2, 3])) // 2 questions with 3 passages each
 * const logits = g.input("logits", "float32", [6, 12, 1000])
 * const targets = g.input("targets", "int64", [6, 12]) // each answer three times
 * const mask = g.input("mask", "bool", [6, 12])
 * const { perToken } = answerLogLikelihood(g, { logits, targets, mask })
 * const byPassage = g.reshape(perToken, [2, 3, 12])
 * const answers = g.input("answers", "bool", [2, 12])
 * const { loss, posterior } = ragSequence(g, { logPrior, logLikelihood: byPassage, mask: answers })
 * console.log(g.build({ loss, posterior }).outputs.map(({ dims }) => dims)) // [ [], [ 2, 3 ] ]
 * ```
 */
export const ragSequence = (g: GraphBuilder, inputs: RagInputs, options: RagSequenceOptions = {}): RagSequence =>
  g.scope("ragSequence", () => {
    const { compat = "paper" } = options
    const { mask, sizes } = ragAnswers(g, inputs)
    const smoothing = requireSmoothing(options.smoothing, sizes)
    const real = g.unsqueeze(mask, [1])
    const overTokens = (values: Value): Value => g.reduceSum(orZero(g, real, values), [2], false)
    const prior = compat === "paper" ? inputs.logPrior : g.mul(inputs.logPrior, secondToken(g, mask, sizes))
    const likelihoods = overTokens(inputs.logLikelihood)
    const marginal = (factor: number, values: Value): Value =>
      logSumExp(g, g.add(factor === 1 ? prior : g.mul(prior, g.scalar(factor)), values), 1)
    const terms = {
      counts: g.reduceSum(g.cast(mask, "float32"), [1], false),
      logLikelihood: marginal(1, likelihoods),
      smoothed: smoothing && marginal(smoothing.vocabularySize, overTokens(smoothing.vocabularySums)),
    }
    return { ...ragLoss(g, terms, options), posterior: passagePosterior(g, prior, likelihoods) }
  })

/** The mask as truth values, and the sizes `[B, k, T]`, of inputs that fit one another. */
export const ragAnswers = (g: GraphBuilder, { logPrior, logLikelihood, mask }: RagInputs) => {
  const sizes = sizesOf(logLikelihood, "logLikelihood", ["B", "k", "T"])
  const [batch = 0, k = 0, tokens = 0] = sizes
  requireShape(logPrior, "logPrior", ["float32"], [batch, k])
  requireShape(mask, "mask", ["bool", "float32"], [batch, tokens])
  return { mask: asTruth(g, mask), sizes }
}

/** `[B, 1] f32`: 1 for an answer that has a second token. */
const secondToken = (g: GraphBuilder, mask: Value, [, , tokens = 0]: readonly number[]): Value =>
  tokens < 2 ? g.scalar(0) : g.cast(g.slice(mask, 1, 1, 2), "float32")
