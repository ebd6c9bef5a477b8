import { type GraphBuilder, InvalidGraph, type Value } from "@tandem/onnx"
import { orOne, orZero, requireShape, total } from "./internal/Marginals.ts"

/** What the loss of a batch is: the mean over its questions, over all tokens of their answers alike, or the sum. */
export type RagReduction = "mean" | "token" | "sum"

/** (1 − ε) · nll − (ε / V) · Σ_v ln p_v: some probability for every token of the vocabulary. */
export interface LabelSmoothing {
  /** ε, from 0 to below 1. */
  readonly epsilon: number
  /** V: how many log-probabilities each sum is of. */
  readonly vocabularySize: number
  /** Σ_v ln p_v of each token; of which p, and its shape, the loss says. Anything may stand where the mask is 0. */
  readonly vocabularySums: Value
}

export interface RagLossOptions {
  /** Default `mean`: each question counts alike, a long answer for as much as its likelihood is lower. */
  readonly reduction?: RagReduction
  /** None where absent. */
  readonly smoothing?: LabelSmoothing
}

/** What every loss over retrieved passages gives. */
export interface RagLoss {
  /** `[] f32`, nats. */
  readonly loss: Value
  /** `[B] f32`: each question's loss before the reduction, smoothing included; 0 for an answer without a token. */
  readonly perExample: Value
  /** `[B] f32`: log p(y | x), without smoothing. */
  readonly logLikelihood: Value
  /** `[B] f32`: how many tokens each answer has. */
  readonly counts: Value
  /** `[] f32`: −Σ_b log p(y_b | x_b) / Σ_b n_b, without smoothing; comparable across answers, losses and reductions. */
  readonly nllPerToken: Value
}

/** What the losses of this family differ in, all of them `[B] f32`. */
export interface RagTerms {
  readonly counts: Value
  readonly logLikelihood: Value
  /** log-likelihood of the whole vocabulary in place of the answer's tokens, where there is smoothing. */
  readonly smoothed: Value | undefined
}

/** The loss made of its terms. Questions whose answer has no token take no part in a mean. */
export const ragLoss = (g: GraphBuilder, terms: RagTerms, options: RagLossOptions): RagLoss => {
  const { reduction = "mean", smoothing } = options
  const { counts, smoothed } = terms
  const some = g.greater(counts, g.scalar(0))
  const logLikelihood = orZero(g, some, terms.logLikelihood)
  const nll = g.neg(logLikelihood)
  const perExample = smoothing === undefined ? nll : mixed(g, nll, orZero(g, some, smoothed ?? nll), smoothing)
  const tokens = orOne(g, total(g, counts))
  const divisors: Readonly<Record<RagReduction, () => Value | undefined>> = {
    mean: () => orOne(g, total(g, g.cast(some, "float32"))),
    token: () => tokens,
    sum: () => undefined,
  }
  const divisor = divisors[reduction]()
  const sum = total(g, perExample)
  return {
    loss: divisor === undefined ? sum : g.div(sum, divisor),
    perExample,
    logLikelihood,
    counts,
    nllPerToken: g.div(total(g, nll), tokens),
  }
}

/** (1 − ε) · nll − (ε / V) · Σ */
const mixed = (g: GraphBuilder, nll: Value, sums: Value, { epsilon, vocabularySize }: LabelSmoothing): Value =>
  g.sub(g.mul(nll, g.scalar(1 - epsilon)), g.mul(sums, g.scalar(epsilon / vocabularySize)))

/** The sums of smoothing once its numbers are found to make sense. */
export const requireSmoothing = (
  smoothing: LabelSmoothing | undefined,
  dims: readonly number[],
): LabelSmoothing | undefined => {
  if (smoothing === undefined) return undefined
  const { epsilon, vocabularySize, vocabularySums } = smoothing
  if (!(epsilon >= 0 && epsilon < 1)) {
    throw new InvalidGraph({
      message: "labels are smoothed by a share that is none",
      field: "epsilon",
      expected: "from 0 to below 1",
      found: `${epsilon}`,
    })
  }
  if (!(Number.isSafeInteger(vocabularySize) && vocabularySize > 0)) {
    throw new InvalidGraph({
      message: "labels are smoothed over a vocabulary of no size",
      field: "vocabularySize",
      expected: "a whole number above 0",
      found: `${vocabularySize}`,
    })
  }
  requireShape(vocabularySums, "vocabularySums", ["float32"], dims)
  return smoothing
}
