import type { GraphBuilder, Value } from "@tandem/onnx"
import { divergence } from "./internal/Divergence.ts"
import { requireTemperature } from "./internal/Temperatures.ts"
import { candidatesOf, passageScores } from "./Lsr.ts"
import type { CandidateScores, RetrieverLoss, RetrieverLossOptions } from "./RetrieverLoss.ts"

export interface LoopInputs extends CandidateScores {
  /**
   * `[B, k] f32`: at i the log-likelihood of the answer with all of the query's candidates but the i-th. A constant. With one
   * candidate alone, that of the answer without any.
   */
  readonly leaveOneOut: Value
  /** `[B] f32`: how many tokens each answer has; for `meanLogprob`. */
  readonly counts?: Value
}

export interface LoopOptions extends RetrieverLossOptions {
  /** τ, divides the answers' losses. */
  readonly languageModelTemperature: number
  /** The answer's loss as a whole (`logprob`) or by token (`meanLogprob`, the default). */
  readonly score?: "logprob" | "meanLogprob"
}

/**
 * Leave-one-out perplexity distillation: a passage is good if the answer suffers when it is missing.
 *
 *     target_i = softmax_i ( −L_without_i / (n τ) )       loss_b = KL ( target ‖ p_R )
 *
 * For generators that read all candidates at once. Beside {@link pdist} it sees that a passage whose content another one has
 * too is not needed. Reduction, flat targets, gradients and errors are those of {@link lsr}. Cost: k passes of the generator
 * over k − 1 passages for each query.
 *
 * Source: Izacard et al. 2022, "Atlas: Few-shot Learning with Retrieval Augmented Language Models", section 2.2,
 * "Leave-one-out Perplexity Distillation".
 */
export const loop = (g: GraphBuilder, inputs: LoopInputs, options: LoopOptions): RetrieverLoss =>
  g.scope("loop", () => {
    const { languageModelTemperature, score = "meanLogprob", ...rest } = options
    requireTemperature(languageModelTemperature, "languageModelTemperature")
    const { leaveOneOut, ...others } = inputs
    const likelihoods = passageScores(g, { ...others, logLikelihood: leaveOneOut }, score)
    const targetScores = g.mul(likelihoods, g.scalar(-1 / languageModelTemperature))
    return divergence(g, { ...candidatesOf(inputs), ...rest, targetScores, first: "target" })
  })
