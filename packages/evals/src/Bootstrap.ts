import { mulberry32 } from "@tandem/random"
import { InvalidEvaluation } from "./EvalsError.ts"

export interface BootstrapOptions {
  /** Default 10,000. */
  readonly resamples?: number
  /** Share of the resampled means inside the interval; default 0.95. */
  readonly confidence?: number
  /** An unsigned 32-bit integer; the same seed gives the same interval on every platform. Default 0. */
  readonly seed?: number
}

export interface Interval {
  /** Of the sample itself: a mean, or for a paired comparison the mean of `a − b`. */
  readonly estimate: number
  readonly low: number
  readonly high: number
  readonly confidence: number
  readonly n: number
}

const quantile = (sorted: Float64Array, share: number): number => {
  const position = share * (sorted.length - 1)
  const below = Math.floor(position)
  const above = Math.min(below + 1, sorted.length - 1)
  return sorted[below]! + (position - below) * (sorted[above]! - sorted[below]!)
}

const invalid = (message: string, field: string, expected: string, found: string): InvalidEvaluation =>
  new InvalidEvaluation({ message, field, expected, found })

const requireOptions = (resamples: number, confidence: number): void => {
  if (!Number.isInteger(resamples) || resamples < 1)
    throw invalid("a bootstrap needs resamples", "resamples", "a positive integer", String(resamples))
  if (!(confidence > 0 && confidence < 1))
    throw invalid("a confidence is a share", "confidence", "between 0 and 1", String(confidence))
}

/** The interval of a statistic of n questions, given by the indices of those that were drawn. */
const percentileInterval = (
  n: number,
  statistic: (drawn: Uint32Array) => number,
  { resamples = 10_000, confidence = 0.95, seed = 0 }: BootstrapOptions,
): Interval => {
  requireOptions(resamples, confidence)
  const next = mulberry32(seed)
  // The upper half of n · draw is an index below n, without the cost of a division.
  const scale = n / 2 ** 32
  const drawn = Uint32Array.from({ length: n }, (_, index) => index)
  const estimate = statistic(drawn)
  const values = new Float64Array(resamples)
  for (let r = 0; r < resamples; r++) {
    for (let i = 0; i < n; i++) drawn[i] = Math.floor(next() * scale)
    values[r] = statistic(drawn)
  }
  values.sort()
  const tail = (1 - confidence) / 2
  return { estimate, low: quantile(values, tail), high: quantile(values, 1 - tail), confidence, n }
}

const sampleOf = (values: ArrayLike<number>): Float64Array => {
  const sample = Float64Array.from(values)
  if (sample.length === 0) throw invalid("a bootstrap needs a sample", "values", "at least one value", "none")
  sample.forEach((value, index) => {
    if (!Number.isFinite(value))
      throw invalid(`value ${index} of the sample is ${value}`, "values", "finite numbers", String(value))
  })
  return sample
}

const requireSameQuestions = (a: number, b: number): void => {
  if (a !== b)
    throw invalid("a paired comparison needs the same questions on both sides", "values", `${a} values`, `${b} values`)
}

/**
 * Percentile bootstrap interval of a mean: `resamples` times draw n of the n values with replacement, take the mean,
 * and read the outer quantiles off the sorted means (linear interpolation).
 *
 * @throws InvalidEvaluation for an empty sample, a value that is not finite, or options out of range
 */
export const bootstrapMean = (values: ArrayLike<number>, options: BootstrapOptions = {}): Interval => {
  const sample = sampleOf(values)
  const mean = (drawn: Uint32Array): number => {
    let sum = 0
    for (let i = 0; i < drawn.length; i++) sum += sample[drawn[i]!]!
    return sum / drawn.length
  }
  return percentileInterval(sample.length, mean, options)
}

/**
 * Interval of the difference `mean(a) − mean(b)` of two systems measured on the same questions: questions are
 * resampled and keep both systems' values together, so what makes a question hard for both cancels out. An interval
 * that excludes 0 means that the systems differ at that confidence.
 *
 * @param a one value a question
 * @param b the other system's values, the same questions in the same order
 * @throws InvalidEvaluation where the lengths differ, and as `bootstrapMean`
 *
 * @example
 * ```ts
 * import { pairedBootstrap } from "@tandem/evals"
 *
 * const { low } = pairedBootstrap([1, 1, 0.5, 1], [0.5, 0.5, 0.25, 0.5])
 * if (low > 0) console.log("better, and not by chance")
 * ```
 */
export const pairedBootstrap = (
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  options: BootstrapOptions = {},
): Interval => {
  requireSameQuestions(a.length, b.length)
  return bootstrapMean(
    Float64Array.from({ length: a.length }, (_, index) => a[index]! - b[index]!),
    options,
  )
}

/** What a ratio over all questions is made of, question by question: nats and tokens, say. */
export interface Ratio {
  readonly sums: ArrayLike<number>
  /** Above 0. */
  readonly counts: ArrayLike<number>
}

const ratioOf = ({ sums, counts }: Ratio): ((drawn: Uint32Array) => number) => {
  requireSameQuestions(sums.length, counts.length)
  const [numerators, denominators] = [sampleOf(sums), sampleOf(counts)]
  denominators.forEach((count, index) => {
    if (count <= 0) throw invalid(`count ${index} of the sample is ${count}`, "counts", "above 0", String(count))
  })
  return (drawn) => {
    let [sum, count] = [0, 0]
    for (let i = 0; i < drawn.length; i++) {
      sum += numerators[drawn[i]!]!
      count += denominators[drawn[i]!]!
    }
    return sum / count
  }
}

/**
 * Interval of Σ sums / Σ counts over questions, such as nats a token over all answers of a set: questions are resampled
 * with their counts, so a long answer weighs in every resample as it does in the figure.
 *
 * @throws InvalidEvaluation for a count that is not above 0, and as `bootstrapMean`
 */
export const bootstrapRatio = (ratio: Ratio, options: BootstrapOptions = {}): Interval =>
  percentileInterval(ratio.sums.length, ratioOf(ratio), options)

/**
 * Interval of the difference of two systems' ratios on the same questions, `a − b`, as `pairedBootstrap` has it for means.
 *
 * @throws InvalidEvaluation where the lengths differ, and as `bootstrapRatio`
 */
export const pairedBootstrapRatio = (a: Ratio, b: Ratio, options: BootstrapOptions = {}): Interval => {
  requireSameQuestions(a.sums.length, b.sums.length)
  const [left, right] = [ratioOf(a), ratioOf(b)]
  return percentileInterval(a.sums.length, (drawn) => left(drawn) - right(drawn), options)
}
