import { type GraphBuilder, InvalidGraph, type Similarity, type Value } from "@tandem/onnx"
import { absent, keepWhere, ownMask, requireMask, scoreDims, shifted, sumWhere } from "./internal/Scores.ts"
import { similarityScores } from "./Similarity.ts"

/** What the loss reads; the sizes of all values must be known. */
export interface InBatchNllInputs {
  /** `[B, d] f32`. */
  readonly queries: Value
  /** `[P, d] f32`, P ≥ B: passage b is the positive of query b, hard negatives follow. */
  readonly passages: Value
  /**
   * `[B, P] bool`: true takes a passage out of a query's denominator, because it answers the query too or only fills the
   * batch. A query's own positive always stays in, whatever stands here.
   */
  readonly excluded?: Value
  /** `[B, P] bool`: the passages that answer each query, for `multiPositive`. A query's own positive counts as one always. */
  readonly relevant?: Value
  /** `[] f32`, multiplies the scores in place of 1 / temperature: a learnable scale. Keep it positive (e to a parameter). */
  readonly scale?: Value
  /** `[B] f32` of 0 or more: how much each query counts in the mean; where all are 0, so is the loss. */
  readonly weights?: Value
}

export interface InBatchNllOptions {
  readonly similarity: Similarity
  /** Divides the scores. {@link defaultTemperature} of the similarity where absent; not together with `scale`. */
  readonly temperature?: number
  /** Averages the loss with that of finding the query by its passage (default false). */
  readonly symmetric?: boolean
  /** What `relevant` does (default `exclude`); see {@link inBatchNll}. */
  readonly multiPositive?: "exclude" | "sum" | "mean"
}

export interface InBatchNll {
  /** `[] f32`, nats. */
  readonly loss: Value
  /** `[B] f32`: each query's loss before weights and mean; with `symmetric` the mean of both directions. */
  readonly perQuery: Value
  /** `[B, P] f32`: similarity over temperature, before any mask. */
  readonly scores: Value
}

/** 1 for inner products, 0.05 for cosines, which lie between −1 and 1. */
export const defaultTemperature = (similarity: Similarity): number => (similarity === "cosine" ? 0.05 : 1)

/**
 * The in-batch negative log-likelihood of DPR: every passage of the batch competes to be a query's positive.
 *
 *     s[b, j] = q_b · c_j / τ             (cosine: q and c at unit length)
 *     loss    = mean_b ( logsumexp_{j not excluded for b} s[b, j] − s[b, b] )
 *
 * - `symmetric`: the mean of this and of the other direction, mean_b ( logsumexp_a s[a, b] − s[b, b] ), in which queries
 *   compete for each positive; hard negatives take no part in it, and a query for which passage b is excluded (or, under
 *   `exclude`, relevant) is not a competitor for it.
 * - `multiPositive: "exclude"`: a query's other relevant passages leave the denominator, as if they were not in the batch.
 * - `"sum"`: mean_b ( logsumexp_j s[b, j] − logsumexp_{j relevant} s[b, j] ), minus the log of the summed probability.
 * - `"mean"`: mean_b ( logsumexp_j s[b, j] − mean_{j relevant} s[b, j] ). Here and in `sum` a relevant passage stays in
 *   the denominator even where `excluded` is true.
 *
 * Reduction: the mean over queries, in nats; with weights Σ_b w_b · loss_b / Σ_b w_b. Gradients flow to `queries`, `passages`, `scale` and `weights`, through the
 * normalisation where the similarity is cosine; masks have none.
 *
 * Stability: each row's largest score is taken off before anything is exponentiated, so that scores of any size neither
 * overflow nor lose the digits of a small loss; masked scores are finite and their gradient is exactly 0. No operator is
 * used that WebGPU lacks (LogSoftmax, OneHot).
 *
 * Source: Karpukhin et al. 2020, "Dense Passage Retrieval for Open-Domain Question Answering", eq. 2; with cosine and a
 * temperature it is the multiple-negatives ranking loss of sentence-transformers (scale = 1 / τ).
 *
 * @throws InvalidGraph where shapes or types do not fit one another, `relevant` is missing for `sum` or `mean`, or both a
 * temperature and a scale are given
 *
 * @example
 * ```ts
 * import { inBatchNll } from "@tandem/losses"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const queries = g.input("queries", "float32", [8, 64])
 * const passages = g.input("passages", "float32", [16, 64]) // 8 positives, then 8 hard negatives
 * const { loss } = inBatchNll(g, { queries, passages }, { similarity: "cosine", temperature: 0.05 })
 * console.log(g.build({ loss }).outputs[0]?.dims) // []
 * ```
 */
export const inBatchNll = (g: GraphBuilder, inputs: InBatchNllInputs, options: InBatchNllOptions): InBatchNll =>
  g.scope("inBatchNll", () => {
    const { relevant, weights } = inputs
    const { symmetric = false, multiPositive = "exclude" } = options
    const scores = scoresOf(g, inputs, options)
    const [queries, passages] = scoreDims(scores)
    requireMask(inputs.excluded, scores, "excluded")
    requireMask(relevant, scores, "relevant")
    requireWeights(weights, queries)
    const own = ownMask(g, queries, passages)
    const kept = compete(g, scores, own, inputs, multiPositive)
    const forward = numerators[multiPositive](g, shifted(g, kept, 1), own, relevant)
    const perQuery = symmetric ? g.mul(g.add(forward, backward(g, kept, queries)), g.scalar(0.5)) : forward
    const loss = weights === undefined ? g.reduceMean(perQuery, [0], false) : weightedMean(g, perQuery, weights)
    return { loss, perQuery, scores }
  })

const scoresOf = (
  g: GraphBuilder,
  { queries, passages, scale }: InBatchNllInputs,
  options: InBatchNllOptions,
): Value => {
  const { similarity, temperature } = options
  if (scale === undefined) {
    return similarityScores(g, queries, passages, {
      similarity,
      temperature: temperature ?? defaultTemperature(similarity),
    })
  }
  if (temperature !== undefined) {
    throw new InvalidGraph({
      message: "a temperature and a scale are given, which is the same thing twice",
      field: "temperature",
      hint: "start the scale at 1 / temperature and leave the temperature out",
    })
  }
  return g.mul(similarityScores(g, queries, passages, { similarity }), scale)
}

/** Σ w · x / Σ w; 0 where the weights sum to less than a float can divide by. */
const weightedMean = (g: GraphBuilder, values: Value, weights: Value): Value =>
  g.div(
    g.reduceSum(g.mul(values, weights), [0], false),
    g.max(g.reduceSum(weights, [0], false), g.scalar(smallestWeight)),
  )

const smallestWeight = 1e-30

/** The scores with those put out of the way that stay out of the denominator. */
const compete = (
  g: GraphBuilder,
  scores: Value,
  own: Value,
  { excluded, relevant }: InBatchNllInputs,
  multiPositive: "exclude" | "sum" | "mean",
): Value => {
  const out = multiPositive === "exclude" ? [excluded, relevant] : [excluded]
  const masks = out.filter((mask) => mask !== undefined)
  if (masks.length === 0) return scores
  const floor = g.scalar(absent)
  const masked = masks.reduce((sum, mask) => g.where(mask, floor, sum), scores)
  const back = multiPositive === "exclude" || relevant === undefined ? masked : g.where(relevant, scores, masked)
  return g.where(own, scores, back)
}

/**
 * Each query's loss from its row of shifted scores, `[B, P]` to `[B]`. The shift falls out of every one of them; it keeps
 * the difference of two close numbers exact.
 */
const numerators = {
  exclude: (g: GraphBuilder, row: Value, own: Value): Value =>
    g.sub(g.reduceLogSumExp(row, [1], false), sumWhere(g, own, row, 1)),
  sum: (g: GraphBuilder, row: Value, own: Value, relevant: Value | undefined): Value => {
    const answering = keepWhere(g, positives(g, own, relevant, "sum"), row)
    const largest = g.reduceMax(answering, [1], true)
    const inner = g.reduceLogSumExp(g.sub(answering, largest), [1], false)
    return g.sub(g.reduceLogSumExp(row, [1], false), g.add(inner, g.squeeze(largest, [1])))
  },
  mean: (g: GraphBuilder, row: Value, own: Value, relevant: Value | undefined): Value => {
    const answering = positives(g, own, relevant, "mean")
    const count = g.reduceSum(g.cast(answering, "float32"), [1], false)
    return g.sub(g.reduceLogSumExp(row, [1], false), g.div(sumWhere(g, answering, row, 1), count))
  },
}

const positives = (g: GraphBuilder, own: Value, relevant: Value | undefined, reading: string): Value => {
  if (relevant === undefined) {
    throw new InvalidGraph({
      message: `the reading "${reading}" of several positives needs to know them`,
      field: "relevant",
      expected: "a bool[B, P] mask",
    })
  }
  return g.op("Or", [own, relevant])[0]!
}

/** Finding the query by its passage: the loss over the columns of the positives, `[B]`. */
const backward = (g: GraphBuilder, kept: Value, queries: number): Value => {
  const column = shifted(g, g.slice(kept, 1, 0, queries), 0)
  const own = ownMask(g, queries, queries)
  return g.sub(g.reduceLogSumExp(column, [0], false), sumWhere(g, own, column, 0))
}

const requireWeights = (weights: Value | undefined, queries: number): void => {
  if (weights === undefined || (weights.type === "float32" && `${weights.dims}` === `${queries}`)) return
  throw new InvalidGraph({
    message: "the weights are not one number for each query",
    field: "weights",
    expected: `float32[${queries}]`,
    found: `${weights.type}[${weights.dims}]`,
  })
}
