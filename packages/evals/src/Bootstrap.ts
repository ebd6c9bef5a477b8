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

/**
 * Percentile bootstrap interval of a mean: `resamples` times draw n of the n values with replacement, take the mean,
 * and read the outer quantiles off the sorted means (linear interpolation).
 *
 * @throws InvalidEvaluation for an empty sample, a value that is not finite, or options out of range
 */
export const bootstrapMean = (values: ArrayLike<number>, options: BootstrapOptions = {}): Interval => {
  const { resamples = 10_000, confidence = 0.95, seed = 0 } = options
  requireOptions(resamples, confidence)
  const sample = Float64Array.from(values)
  const n = sample.length
  if (n === 0) throw invalid("a bootstrap needs a sample", "values", "at least one value", "none")
  let total = 0
  sample.forEach((value, index) => {
    if (!Number.isFinite(value))
      throw invalid(`value ${index} of the sample is ${value}`, "values", "finite numbers", String(value))
    total += value
  })
  const next = mulberry32(seed)
  // The upper half of n · draw is an index below n, without the cost of a division.
  const scale = n / 2 ** 32
  const means = new Float64Array(resamples)
  for (let r = 0; r < resamples; r++) {
    let sum = 0
    for (let i = 0; i < n; i++) sum += sample[Math.floor(next() * scale)]!
    means[r] = sum / n
  }
  means.sort()
  const tail = (1 - confidence) / 2
  return { estimate: total / n, low: quantile(means, tail), high: quantile(means, 1 - tail), confidence, n }
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
  if (a.length !== b.length)
    throw invalid(
      "a paired comparison needs the same questions on both sides",
      "values",
      `${a.length} values`,
      `${b.length} values`,
    )
  return bootstrapMean(
    Float64Array.from({ length: a.length }, (_, index) => a[index]! - b[index]!),
    options,
  )
}
