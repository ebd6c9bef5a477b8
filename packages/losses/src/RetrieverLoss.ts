import type { Value } from "@tandem/onnx"

/** What a loss that teaches a retriever is: the mean over the queries that train, or the sum; never over their passages. */
export type QueryReduction = "mean" | "sum"

/** A retriever's candidates. */
export interface CandidateScores {
  /** `[B, k] f32`: similarities, before any temperature. They alone receive a gradient. */
  readonly scores: Value
  /** `[B, k] bool`: true where there is a candidate; all where absent. */
  readonly present?: Value
}

/** What every loss that compares a retriever's distribution with a target gives. */
export interface RetrieverLoss {
  /** `[] f32`, nats. */
  readonly loss: Value
  /** `[B] f32`: each query's divergence; 0 where it does not train. */
  readonly perQuery: Value
  /** `[B, k] f32`: log p_R, of `retrievalLogPrior`. */
  readonly logPrior: Value
  /** `[B, k] f32`: the target's logarithm, in the same form. */
  readonly logTarget: Value
  /** `[B] f32`: 1 where the query trains, 0 where its target is flat or it has no candidate. */
  readonly trained: Value
}

export interface RetrieverLossOptions {
  /** τ_R, divides the similarities: 1 for inner products and 0.05 for cosines are usual (`defaultTemperature`). */
  readonly retrieverTemperature: number
  /** Default `mean`. */
  readonly reduction?: QueryReduction
  /**
   * A target whose entropy lacks less than this of a uniform one's, in nats, says nothing and only blurs the retriever: such
   * a query does not train. Default {@link defaultFlatBelow}; 0 trains all that have a candidate.
   */
  readonly flatBelow?: number
}

/** 1e-5 nats: the passages' scores over their temperature differ by less than about 0.005. */
export const defaultFlatBelow = 1e-5
