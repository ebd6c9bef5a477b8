import type { GraphBuilder, Value } from "@tandem/onnx"
import { keepWhere, requireMask } from "./internal/Scores.ts"
import { retrievalLogPrior } from "./RetrievalPrior.ts"
import type { CandidateScores } from "./RetrieverLoss.ts"

export interface CandidateNllInputs extends CandidateScores {
  /** `[B, k] bool`: the candidates that answer, all of them present. */
  readonly answering: Value
}

/**
 * The negative log-likelihood that a retriever's draw from each question's own candidates answers, `[B] f32` in nats:
 *
 *     nll_b = −log Σ_{i answers} p_R(z_i | x_b),   p_R the softmax of similarities over τ_R
 *
 * A question of which no candidate answers has the loss 0 and no gradient. Several that answer share the sum: it does not
 * matter which of them is found. The denominator is the question's candidates alone, so that those that are searched with the
 * weights of the moment are its hard negatives.
 *
 * Source: Karpukhin et al. 2020, eq. 2, with the negatives of Xiong et al. 2021 ("Approximate Nearest Neighbor Negative
 * Contrastive Learning", ANCE); the sum over several positives as in `inBatchNll`'s `"sum"`.
 *
 * @throws InvalidGraph where the temperature is not a positive number or a mask does not fit
 */
export const candidateNll = (
  g: GraphBuilder,
  { scores, present, answering }: CandidateNllInputs,
  { retrieverTemperature }: { readonly retrieverTemperature: number },
): Value =>
  g.scope("candidateNll", () => {
    requireMask(answering, scores, "answering")
    const logPrior = retrievalLogPrior(g, scores, {
      temperature: retrieverTemperature,
      ...(present === undefined ? {} : { present }),
    })
    const kept = keepWhere(g, answering, logPrior)
    const largest = g.reduceMax(kept, [1], true)
    const found = g.add(g.reduceLogSumExp(g.sub(kept, largest), [1], false), g.squeeze(largest, [1]))
    const some = g.less(g.scalar(0.5), g.reduceMax(g.cast(answering, "float32"), [1], false))
    return g.where(some, g.neg(found), g.scalar(0))
  })
