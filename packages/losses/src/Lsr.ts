import { type GraphBuilder, InvalidGraph, type Value } from "@tandem/onnx"
import { divergence } from "./internal/Divergence.ts"
import { orOne, requireShape, sizesOf } from "./internal/Marginals.ts"
import { requireTemperature } from "./internal/Temperatures.ts"
import type { CandidateScores, RetrieverLoss, RetrieverLossOptions } from "./RetrieverLoss.ts"
import { stopGradient } from "./StopGradient.ts"

/** Which divergence: KL of the first from the second, KL(p_R ‖ p_LM) or KL(p_LM ‖ p_R). */
export type LsrDirection = "retriever-lm" | "lm-retriever"

/**
 * What a passage scores under the language model: `prob` the answer's probability exp L, `logprob` its logarithm L,
 * `meanLogprob` the mean over the answer's n tokens L / n.
 */
export type LsrScore = "prob" | "logprob" | "meanLogprob"

export interface LsrInputs extends CandidateScores {
  /** `[B, k] f32`: L, the log-likelihood of a query's answer with each candidate. A constant, computed here or read. */
  readonly logLikelihood: Value
  /** `[B] f32`: n, how many tokens each answer has; for `meanLogprob`. */
  readonly counts?: Value
}

export interface LsrOptions extends RetrieverLossOptions {
  /** τ, divides the scores of the language model. */
  readonly languageModelTemperature: number
  /** Default `retriever-lm`. */
  readonly direction?: LsrDirection
  /** Default `meanLogprob`. */
  readonly score?: LsrScore
}

/**
 * LM-supervised retrieval: the retriever's distribution over a query's candidates learns to be the one in which they help a
 * language model to the answer.
 *
 *     p_R,i  = softmax_i ( s_i / τ_R )          p_LM,i = softmax_i ( score_i / τ )
 *     loss_b = Σ_i p_R,i ( log p_R,i − log p_LM,i )           retriever-lm, as the papers print it
 *     loss_b = Σ_i p_LM,i ( log p_LM,i − log p_R,i )          lm-retriever, as Atlas and FedRAG compute it
 *
 * Reduction: the mean over the queries that train, or the sum, in nats. Gradients flow to `scores` alone, for lm-retriever
 * (p_R,i − p_LM,i) / τ_R, for retriever-lm p_R,i (log p_R,i − log p_LM,i − loss_b) / τ_R, which vanishes where p_R does: a
 * retriever that is sure and wrong learns little, and it can flee to candidates that are all alike for the teacher. So take
 * lm-retriever where candidates are retrieved anew as the retriever changes. The language model's side is a constant
 * ({@link stopGradient}).
 *
 * Queries whose target is flat do not train (`flatBelow`), nor those without a candidate; `trained` says which.
 *
 * Gotchas: `prob` of answers of more than a few tokens is 0 in any number format, whatever the passage, so that the target is
 * uniform: for L of −40, −30 and −35 it is ⅓ each, `meanLogprob` of ten tokens gives .19, .51 and .31. `logprob` grows with
 * the answer's length, so that long answers' targets are one-hot. {@link lsrPresets} has what others train with.
 *
 * Siblings: {@link pdist}, this with Atlas' choices; {@link loop}, a target of answers without each passage; `emdr2`, the
 * marginal likelihood in place of a divergence; {@link scoreDistillation}, a teacher's scores in place of likelihoods.
 *
 * Source: Shi et al. 2023, "REPLUG: Retrieval-Augmented Black-Box Language Models", section 4; Lin et al. 2023, "RA-DIT:
 * Retrieval-Augmented Dual Instruction Tuning", eq. 4 and 5.
 *
 * @throws InvalidGraph where shapes or types do not fit one another, a temperature is not a positive number, or `meanLogprob`
 * is asked for without `counts`
 *
 * @example
 * ```ts
 * import { defaultTemperature, lsr } from "@tandem/losses"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const scores = g.input("scores", "float32", [8, 16]) // 8 queries with 16 candidates each
 * const logLikelihood = g.input("log_likelihood", "float32", [8, 16])
 * const counts = g.input("counts", "float32", [8])
 * const temperatures = { retrieverTemperature: defaultTemperature("cosine"), languageModelTemperature: 1 }
 * const { loss, trained } = lsr(g, { scores, logLikelihood, counts }, temperatures)
 * console.log(g.build({ loss, trained }).outputs.map(({ dims }) => dims)) // [ [], [ 8 ] ]
 * ```
 */
export const lsr = (g: GraphBuilder, inputs: LsrInputs, options: LsrOptions): RetrieverLoss =>
  g.scope("lsr", () => {
    const { direction = "retriever-lm", score = "meanLogprob", languageModelTemperature, ...rest } = options
    requireTemperature(languageModelTemperature, "languageModelTemperature")
    const targetScores = g.mul(passageScores(g, inputs, score), g.scalar(1 / languageModelTemperature))
    const first = direction === "retriever-lm" ? "retriever" : "target"
    return divergence(g, { ...candidatesOf(inputs), ...rest, targetScores, first })
  })

/** The candidates among further inputs. */
export const candidatesOf = ({ scores, present }: CandidateScores): CandidateScores =>
  present === undefined ? { scores } : { scores, present }

/** `[B, k] f32`, constants. */
export const passageScores = (
  g: GraphBuilder,
  { scores, logLikelihood, counts }: LsrInputs,
  score: LsrScore,
): Value => {
  const dims = sizesOf(scores, "scores", ["B", "k"])
  const [batch = 0] = dims
  requireShape(logLikelihood, "logLikelihood", ["float32"], dims)
  const likelihoods = stopGradient(g, logLikelihood)
  if (score === "prob") return g.exp(likelihoods)
  if (score === "logprob") return likelihoods
  if (counts === undefined) {
    throw new InvalidGraph({
      message: "a mean over an answer's tokens needs to know their number",
      field: "counts",
      expected: `float32[${batch}]`,
      found: "none",
    })
  }
  requireShape(counts, "counts", ["float32"], [batch])
  return g.div(likelihoods, g.reshape(orOne(g, counts), [batch, 1]))
}
