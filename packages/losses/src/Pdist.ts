import type { GraphBuilder } from "@tandem/onnx"
import { type LsrInputs, lsr } from "./Lsr.ts"
import type { RetrieverLoss, RetrieverLossOptions } from "./RetrieverLoss.ts"

export interface PdistOptions extends RetrieverLossOptions {
  /** τ, divides the mean log-likelihoods. */
  readonly languageModelTemperature: number
}

/**
 * Perplexity distillation: the retriever's distribution is taught how well each passage alone explains the answer.
 *
 *     target_i = softmax_i ( L_i / (n τ) )       loss_b = KL ( target ‖ p_R )
 *
 * It is {@link lsr} of `meanLogprob` and direction `lm-retriever`: inputs (`counts` must be there), reduction, gradients and
 * errors are those. Atlas' code averages over queries and passages: its number is this one over k.
 *
 * Source: Izacard et al. 2022, "Atlas: Few-shot Learning with Retrieval Augmented Language Models", section 2.2, "Perplexity
 * Distillation".
 */
export const pdist = (g: GraphBuilder, inputs: LsrInputs, options: PdistOptions): RetrieverLoss =>
  g.scope("pdist", () => lsr(g, inputs, { ...options, direction: "lm-retriever", score: "meanLogprob" }))
