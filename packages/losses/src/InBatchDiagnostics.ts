import type { GraphBuilder, Value } from "@tandem/onnx"
import { absent, ownMask, requireMask, scoreDims, shifted, sumWhere } from "./internal/Scores.ts"

export interface InBatchDiagnostics {
  /** `[B] f32`: place of each query's positive among the passages that compete, 1 for the first. */
  readonly rank: Value
  /** `[] f32`: mean of `rank`. */
  readonly meanRank: Value
  /** `[] f32`: share of queries whose positive scores above every competitor. */
  readonly accuracy: Value
  /** `[] f32`, nats: mean entropy of softmax over a query's competitors; ln of their number where they all score alike. */
  readonly entropy: Value
}

/**
 * How well a batch is told apart, from the scores of `inBatchNll` (`[B, P] f32`, passage b the positive of query b).
 *
 *     rank_b  = number of j not excluded for b with s[b, j] ≥ s[b, b], the positive itself included
 *     entropy = mean_b − Σ_j p[b, j] · ln p[b, j],   p = softmax over j not excluded
 *
 * A tie counts against the positive, so that embeddings that have collapsed into one show the worst rank and an accuracy
 * of 0, not of 1. `excluded` is `inBatchNll`'s. Nothing here is meant to be trained: no gradient flows through a rank.
 *
 * @throws InvalidGraph where the shapes do not fit
 */
export const inBatchDiagnostics = (g: GraphBuilder, scores: Value, excluded?: Value): InBatchDiagnostics =>
  g.scope("inBatchDiagnostics", () => {
    const [queries, passages] = scoreDims(scores)
    requireMask(excluded, scores, "excluded")
    const own = ownMask(g, queries, passages)
    const kept = excluded === undefined ? scores : g.where(own, scores, g.where(excluded, g.scalar(absent), scores))
    const positive = g.reshape(sumWhere(g, own, kept, 1), [queries, 1])
    const rank = g.reduceSum(g.cast(g.greaterOrEqual(kept, positive), "float32"), [1], false)
    const first = g.cast(g.less(rank, g.scalar(1.5)), "float32")
    const row = shifted(g, kept, 1)
    const logTotal = g.reduceLogSumExp(row, [1], true)
    const logProbability = g.sub(row, logTotal)
    const entropies = g.neg(g.reduceSum(g.mul(g.exp(logProbability), logProbability), [1], false))
    const mean = (values: Value): Value => g.reduceMean(values, [0], false)
    return { rank, meanRank: mean(rank), accuracy: mean(first), entropy: mean(entropies) }
  })
