import { float32, type GraphBuilder, InvalidGraph, type Value } from "@tandem/onnx"
import { retrievalLogPrior } from "../RetrievalPrior.ts"
import {
  type CandidateScores,
  defaultFlatBelow,
  type RetrieverLoss,
  type RetrieverLossOptions,
} from "../RetrieverLoss.ts"
import { orOne, orZero, requireShape, sizesOf, total } from "./Marginals.ts"
import { requireTemperature } from "./Temperatures.ts"

/** What is compared, and how. */
export interface Comparison extends CandidateScores, RetrieverLossOptions {
  /** `[B, k] f32`: the target is their softmax. Constants. */
  readonly targetScores: Value
  /** KL(p_R ‖ target) or KL(target ‖ p_R). */
  readonly first: "retriever" | "target"
}

/** The divergence of a retriever's distribution and the softmax of target scores. */
export const divergence = (g: GraphBuilder, comparison: Comparison): RetrieverLoss => {
  const { scores, present, targetScores, retrieverTemperature, first, reduction = "mean" } = comparison
  requireTemperature(retrieverTemperature, "retrieverTemperature")
  requireShape(targetScores, "targetScores", ["float32"], sizesOf(scores, "scores", ["B", "k"]))
  const filled = present === undefined ? {} : { present }
  const logPrior = retrievalLogPrior(g, scores, { temperature: retrieverTemperature, ...filled })
  const logTarget = retrievalLogPrior(g, targetScores, filled)
  const [p, q] = first === "retriever" ? [logPrior, logTarget] : [logTarget, logPrior]
  const terms = g.mul(g.exp(p), g.sub(p, q))
  const kept = present === undefined ? terms : orZero(g, present, terms)
  const trains = isTrained(g, logTarget, comparison)
  const perQuery = orZero(g, trains, g.reduceSum(kept, [1], false))
  const trained = g.cast(trains, "float32")
  const sum = total(g, perQuery)
  const loss = reduction === "sum" ? sum : g.div(sum, orOne(g, total(g, trained)))
  return { loss, perQuery, logPrior, logTarget, trained }
}

/** `[B] bool` */
const isTrained = (g: GraphBuilder, logTarget: Value, comparison: Comparison): Value => {
  const { present, flatBelow = defaultFlatBelow } = comparison
  const { candidates, lacking } = flatness(g, logTarget, present)
  const some = g.greater(candidates, g.scalar(0))
  requireNats(flatBelow)
  return flatBelow === 0 ? some : g.op("And", [some, g.greaterOrEqual(lacking, g.scalar(flatBelow))])[0]!
}

/** Refuses a bound of entropies that is none. */
export const requireNats = (flatBelow: number): void => {
  if (flatBelow >= 0) return
  throw new InvalidGraph({
    message: "an entropy is compared with a number that is no bound",
    field: "flatBelow",
    expected: "nats, 0 or more",
    found: `${flatBelow}`,
  })
}

/**
 * Of each query's distribution, all `[B] f32`: over how many candidates it is, its entropy, and what that lacks of the
 * uniform one's.
 */
export const flatness = (g: GraphBuilder, logDistribution: Value, present: Value | undefined) => {
  const [batch = 0, k = 0] = sizesOf(logDistribution, "logDistribution", ["B", "k"])
  const terms = g.mul(g.exp(logDistribution), logDistribution)
  const entropy = g.neg(g.reduceSum(present === undefined ? terms : orZero(g, present, terms), [1], false))
  const candidates =
    present === undefined
      ? g.constant(float32([batch], Array<number>(batch).fill(k)))
      : g.reduceSum(g.cast(present, "float32"), [1], false)
  return { candidates, entropy, lacking: g.sub(g.log(orOne(g, candidates)), entropy) }
}
