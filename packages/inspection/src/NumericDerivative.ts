import { Effect } from "effect"

/** What `compareDerivative` takes besides the function. */
export interface CompareOptions {
  /** The derivative at 0 that is to be checked. */
  readonly analytic: number
  /** What derivatives of this kind are usually as large as; smaller ones are compared with it. */
  readonly scale: number
  /** The largest step; others are halves of it. */
  readonly step: number
  /** Size of the rounding in the function's values. */
  readonly noise: number
  /** Difference that is let pass, relative to the larger of the two derivatives and `scale`. */
  readonly rtol: number
}

/** How a derivative compares with finite differences. */
export interface Comparison {
  /** |analytic − numeric| / max(|analytic|, |numeric|, scale), the last no smaller than rounding lets be told apart. */
  readonly relativeError: number
  /** The relative error that rounding makes likely. */
  readonly resolution: number
}

const levels = 8
const repeats = 16

/** A larger relative error than kinks make. */
const mostOfKinks = 0.3

/**
 * Compares a derivative at 0 of a function that is computed with rounding with central differences D(h).
 *
 * These err by a multiple of h² as long as rounding is small, so (4·D(h) − D(2h)) / 3 errs by a multiple of h⁴
 * (Richardson). Steps are halved until two such estimates agree, and the one is taken that moved least and that rounding
 * disturbs least. Where that differs from the derivative, the function may have a kink between −h and h, as ReLU makes
 * them: then smaller steps, averaged over several to keep rounding down, decide.
 */
export const compareDerivative = Effect.fnUntraced(function* <E, R>(
  f: (x: number) => Effect.Effect<number, E, R>,
  { analytic, scale, step, noise, rtol }: CompareOptions,
) {
  const difference = (h: number) => Effect.zipWith(f(h), f(-h), (above, below) => (above - below) / (2 * h))
  const compare = (value: number, rounding: number): Comparison => {
    const size = Math.max(Math.abs(analytic), Math.abs(value), scale)
    // What rounding may account for is within the tolerance.
    const relativeError = Math.abs(analytic - value) / Math.max(size, (4 * rounding) / rtol)
    return { relativeError, resolution: rounding / size }
  }
  const accuracy = 0.1 * rtol * scale
  let before = yield* difference(step)
  let estimate: number | undefined
  let best = { value: before, rounding: noise / step, doubt: Number.POSITIVE_INFINITY }
  let h = step
  for (let level = 1; level < levels; level++) {
    h /= 2
    const now = yield* difference(h)
    const next = (4 * now - before) / 3
    before = now
    const rounding = (1.4 * noise) / h
    const moved = estimate === undefined ? Number.POSITIVE_INFINITY : Math.abs(next - estimate)
    if (moved + rounding < best.doubt) best = { value: next, rounding, doubt: moved + rounding }
    if (moved <= Math.max(accuracy, rounding)) break
    estimate = next
  }
  let result = compare(best.value, best.rounding)
  if (result.relativeError <= rtol || result.relativeError > mostOfKinks) return result
  for (let level = 0; level < levels; level++) {
    h /= 2
    const rounding = (0.7 * noise) / h / Math.sqrt(repeats)
    if (3 * rounding > 2 * rtol * scale) return result
    let sum = 0
    for (let repeat = 0; repeat < repeats; repeat++) sum += yield* difference(h * (0.9 + (0.2 * repeat) / repeats))
    result = compare(sum / repeats, rounding)
    if (result.relativeError <= rtol) return result
  }
  return result
})
