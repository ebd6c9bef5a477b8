import type { GraphBuilder, Value } from "@tandem/onnx"
import { flatness, requireNats } from "./internal/Divergence.ts"
import { orOne, requireShape, sizesOf, total } from "./internal/Marginals.ts"
import { absent, requireMask } from "./internal/Scores.ts"
import { defaultFlatBelow } from "./RetrieverLoss.ts"

/** A distribution over the passages of each query, as logarithms. */
export interface Distribution {
  /** `[B, k] f32`, of `retrievalLogPrior`. */
  readonly logPrior: Value
  /** `[B, k] bool`: true where there is a passage; all where absent. */
  readonly present?: Value
}

export interface PriorDiagnostics {
  /** `[B] f32`, nats: ln of the number of passages where all score alike, 0 where one has it all. */
  readonly entropy: Value
  /** `[] f32`: the mean of `entropy` over queries that have a passage. */
  readonly meanEntropy: Value
}

/**
 * How sure a retriever is among what it retrieved: a mean entropy that falls to 0 or stays at ln k is the first sign of a
 * collapse. Nothing here is meant to be trained.
 *
 * @throws InvalidGraph where the shapes do not fit
 */
export const priorDiagnostics = (g: GraphBuilder, { logPrior, present }: Distribution): PriorDiagnostics =>
  g.scope("priorDiagnostics", () => {
    requireMask(present, logPrior, "present")
    const { entropy, candidates } = flatness(g, logPrior, present)
    return { entropy, meanEntropy: meanOver(g, g.greater(candidates, g.scalar(0)))(entropy) }
  })

export interface TargetDiagnostics {
  /** `[] f32`, nats: mean entropy of the target. */
  readonly targetEntropy: Value
  /** `[] f32`: share of queries whose target is flat. */
  readonly flatShare: Value
  /** `[] f32`: share of queries whose target is one of several passages alone, with an entropy of less than 0.01 nats. */
  readonly oneHotShare: Value
  /** `[B] f32`: place of the target's best passage in the retriever's order, 1 for the first. */
  readonly rank: Value
  /** `[] f32`: mean of `rank`. */
  readonly meanRank: Value
  /** `[] f32`: share of queries whose best passage both agree on. */
  readonly agreement: Value
}

/**
 * What there is to learn from a target, and how much of it is learnt. `logTarget` `[B, k] f32` is a loss's (`RetrieverLoss`),
 * or the logarithm of a posterior. All means and shares are over queries that have a passage. A tie counts against the
 * retriever: the rank is the number of passages with at least the prior of the target's best one, and where the target has
 * several best ones, of the one that the retriever likes least, so that a retriever that tells nothing apart does not seem to
 * agree. Queries whose target is flat (entropy below the uniform one's by less than `flatBelow`) count in ranks too.
 *
 * @throws InvalidGraph where the shapes do not fit
 */
export const targetDiagnostics = (
  g: GraphBuilder,
  inputs: Distribution & { readonly logTarget: Value },
  { flatBelow = defaultFlatBelow }: { readonly flatBelow?: number } = {},
): TargetDiagnostics =>
  g.scope("targetDiagnostics", () => {
    const { logPrior, logTarget, present } = inputs
    requireShape(logTarget, "logTarget", ["float32"], sizesOf(logPrior, "logPrior", ["B", "k"]))
    requireMask(present, logPrior, "present")
    requireNats(flatBelow)
    const { candidates, entropy, lacking } = flatness(g, logTarget, present)
    const mean = meanOver(g, g.greater(candidates, g.scalar(0)))
    const share = (condition: Value): Value => mean(g.cast(condition, "float32"))
    const rank = rankOfBest(g, inputs)
    return {
      targetEntropy: mean(entropy),
      flatShare: share(g.less(lacking, g.scalar(flatBelow))),
      oneHotShare: share(g.op("And", [g.greater(candidates, g.scalar(1)), g.less(entropy, g.scalar(oneHotBelow))])[0]!),
      rank,
      meanRank: mean(rank),
      agreement: share(g.less(rank, g.scalar(1.5))),
    }
  })

const oneHotBelow = 0.01

/** `[B] f32` */
const rankOfBest = (
  g: GraphBuilder,
  { logPrior, logTarget, present }: Distribution & { readonly logTarget: Value },
): Value => {
  const isBest = g.greaterOrEqual(logTarget, g.reduceMax(logTarget, [1], true))
  const best = present === undefined ? isBest : g.op("And", [isBest, present])[0]!
  const least = g.neg(g.reduceMax(g.where(best, g.neg(logPrior), g.scalar(absent)), [1], true))
  const before = g.greaterOrEqual(logPrior, least)
  const counted = present === undefined ? before : g.op("And", [before, present])[0]!
  return g.reduceSum(g.cast(counted, "float32"), [1], false)
}

/** The mean over the queries of a mask, `[B]` to `[]`; 0 where there is none. */
const meanOver = (g: GraphBuilder, counted: Value): ((values: Value) => Value) => {
  const weights = g.cast(counted, "float32")
  const divisor = orOne(g, total(g, weights))
  return (values) => g.div(total(g, g.mul(values, weights)), divisor)
}
