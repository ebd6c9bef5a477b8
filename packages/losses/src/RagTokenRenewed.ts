import { type GraphBuilder, int, int64, type Value } from "@tandem/onnx"
import { asTruth, orZero, requireShape, sizesOf } from "./internal/Marginals.ts"
import type { RagLossOptions } from "./RagLoss.ts"
import { marginalTokens, type RagToken } from "./RagToken.ts"

export interface RagTokenRenewedInputs {
  /** `[B, S, k] f32`: log p_R of each of the S retrievals of a question, of `retrievalLogPrior`. */
  readonly logPrior: Value
  /** `[B, S, k] int64`: which of the question's P passages each retrieval found, from 0 up to below P; any where absent. */
  readonly passages: Value
  /** `[B, T] int64`: which retrieval each token belongs to, from 0 up to below S; `t` over `renewEvery`, mostly. */
  readonly segments: Value
  /**
   * `[B, P, T] f32`: the answer's tokens under each of the P passages that any retrieval of the question found. Each pair of
   * question and passage is scored once, however many segments read it. Anything may stand where the mask is 0.
   */
  readonly logLikelihood: Value
  /** `[B, T]`, `bool` or `f32`: true, or not 0, where the token is part of the answer. It does not weigh. */
  readonly mask: Value
}

export interface RagTokenRenewed extends RagToken {
  /** `[B, T, k] f32`: the log-prior of each token's own retrieval, for `marginalLogProbabilities`. */
  readonly tokenLogPrior: Value
  /** `[B, T, k] int64`: which of the P passages these are. */
  readonly tokenPassages: Value
}

/**
 * RAG-Token with renewed retrieval: passages and their prior follow the answer as it grows. With j(t) the retrieval that
 * token t belongs to, made with the question and the answer before its segment:
 *
 *     loss_b = −Σ_t m[b, t] logsumexp_i ( log p_R(z_i | x, y_<j(t)) + log p(y_t | x, z_i, y_<t) ),  i over the k of j(t)
 *
 * With one segment it is {@link ragToken}. Reduction and smoothing (`vocabularySums` `[B, T]`) are its own; gradients flow
 * to `logPrior` and `logLikelihood`, where a passage that several segments found adds them up. A place without a passage
 * (`retrievalLogPrior`'s `present`) and a passage that no token's retrieval found change nothing.
 *
 * Cost: at most S · k passages a question go through the generator; here, `[B, T, k]` values.
 *
 * Source: Lewis et al. 2020 marginalise token by token with one retrieval; retrieval by the prefix is that of Ram et al.
 * 2023, "In-Context Retrieval-Augmented Language Models", section 3 (a stride of `renewEvery`), with the passages summed out.
 *
 * @throws InvalidGraph where shapes or types do not fit one another, or a size is not known
 *
 * @example
 * ```ts
 * import { ragTokenRenewed, retrievalLogPrior } from "@tandem/losses"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const logPrior = retrievalLogPrior(g, g.input("scores", "float32", [2, 4, 3])) // 4 retrievals of 3 passages each
 * const passages = g.input("passages", "int64", [2, 4, 3])
 * const segments = g.input("segments", "int64", [2, 16])
 * const logLikelihood = g.input("log_likelihood", "float32", [2, 7, 16]) // 7 passages in all
 * const mask = g.input("mask", "bool", [2, 16])
 * const { loss } = ragTokenRenewed(g, { logPrior, passages, segments, logLikelihood, mask })
 * console.log(g.build({ loss }).outputs[0]?.dims) // []
 * ```
 */
export const ragTokenRenewed = (
  g: GraphBuilder,
  inputs: RagTokenRenewedInputs,
  options: RagLossOptions = {},
): RagTokenRenewed =>
  g.scope("ragTokenRenewed", () => {
    const { logPrior, passages, segments, logLikelihood } = inputs
    const [batch = 0, retrievals = 0, k = 0] = sizesOf(logPrior, "logPrior", ["B", "S", "k"])
    const [, found = 0, tokens = 0] = sizesOf(logLikelihood, "logLikelihood", ["B", "P", "T"])
    requireShape(logLikelihood, "logLikelihood", ["float32"], [batch, found, tokens])
    requireShape(passages, "passages", ["int64"], [batch, retrievals, k])
    requireShape(segments, "segments", ["int64"], [batch, tokens])
    requireShape(inputs.mask, "mask", ["bool", "float32"], [batch, tokens])
    const mask = asTruth(g, inputs.mask)
    const first = Array.from({ length: batch }, (_, row) => row * retrievals)
    const rows = g.add(segments, g.constant(int64([batch, 1], first)))
    const ofToken = (values: Value): Value => g.gather(g.reshape(values, [batch * retrievals, k]), rows)
    const byToken = g.transpose(orZero(g, g.unsqueeze(mask, [1]), logLikelihood), [0, 2, 1])
    const tokenPassages = ofToken(passages)
    const likelihoods = g.op("GatherElements", [byToken, tokenPassages], { attributes: { axis: int(2) } })[0]!
    const tokenLogPrior = ofToken(logPrior)
    return {
      ...marginalTokens(g, { logPrior: tokenLogPrior, likelihoods, mask }, options),
      tokenLogPrior,
      tokenPassages,
    }
  })
