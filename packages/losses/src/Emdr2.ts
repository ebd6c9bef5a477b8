import type { GraphBuilder, Value } from "@tandem/onnx"
import type { RagLoss, RagReduction } from "./RagLoss.ts"
import { type RagInputs, ragSequence } from "./RagSequence.ts"
import { ragToken } from "./RagToken.ts"
import { stopGradient } from "./StopGradient.ts"

export interface Emdr2Options {
  /** Whether passages are summed out for each answer (`sequence`, as published) or for each token (as in Atlas' code). */
  readonly level?: "sequence" | "token"
  /** Default `mean`; Atlas' code has `token`. */
  readonly reduction?: RagReduction
}

export interface Emdr2 extends RagLoss {
  /** `[B, k] f32`, or for `token` `[B, T, k]`: the passages' probabilities once the answer is known. */
  readonly posterior: Value
}

/**
 * EMDR²: the retriever's half of the marginal likelihood.
 *
 *     loss_b = −log Σ_i p_R,i exp L_i,   L a constant
 *
 * The value is that of {@link ragSequence} (or {@link ragToken}), and so are inputs, reduction, masks and errors; the gradient
 * reaches `logPrior` alone, by the scores behind it (p_R,i − posterior_i) / τ_R: a step of expectation maximisation, with the
 * posterior as the target of the retriever's distribution. In one graph with a generator that trains by another loss, its
 * likelihoods can be given as they are.
 *
 * Source: Sachan et al. 2021, "End-to-End Training of Multi-Document Reader and Retriever for Open-Domain Question
 * Answering", eq. 5.
 */
export const emdr2 = (
  g: GraphBuilder,
  inputs: RagInputs,
  { level = "sequence", reduction = "mean" }: Emdr2Options = {},
): Emdr2 =>
  g.scope("emdr2", () => {
    const fixed = { ...inputs, logLikelihood: stopGradient(g, inputs.logLikelihood) }
    return level === "sequence" ? ragSequence(g, fixed, { reduction }) : ragToken(g, fixed, { reduction })
  })
