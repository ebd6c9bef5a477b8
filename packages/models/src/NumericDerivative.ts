import { Effect } from "effect"

/** Central differences of a function of one number, extrapolated to a step of 0. */
export interface NumericDerivative {
  readonly value: number
  /** How far rounding may have moved it. */
  readonly noise: number
}

export interface NumericDerivativeOptions {
  /** The largest step; others are halves of it. */
  readonly step: number
  /** Size of the rounding in `f`. */
  readonly noise: number
  /** Where two estimates in a row differ by less, no smaller step is tried. */
  readonly accuracy: number
}

const longest = 8

/**
 * The derivative at 0 of a function that is computed with rounding. Central differences D(h) err by a multiple of h² as
 * long as rounding is small, so (4·D(h) − D(2h)) / 3 errs by a multiple of h⁴ (Richardson). Steps are halved until two
 * such estimates agree to within `accuracy` or to within what rounding allows, and the one is taken that moved least
 * and rounding disturbs least.
 */
export const numericDerivative = Effect.fnUntraced(function* <E, R>(
  f: (x: number) => Effect.Effect<number, E, R>,
  { step, noise, accuracy }: NumericDerivativeOptions,
) {
  const difference = (h: number) => Effect.zipWith(f(h), f(-h), (above, below) => (above - below) / (2 * h))
  let before = yield* difference(step)
  let estimate: number | undefined
  let best = { value: before, noise: noise / step, error: Number.POSITIVE_INFINITY }
  for (let level = 1; level < longest; level++) {
    const h = step / 2 ** level
    const now = yield* difference(h)
    const next = (4 * now - before) / 3
    before = now
    const rounding = (1.4 * noise) / h
    const moved = estimate === undefined ? Number.POSITIVE_INFINITY : Math.abs(next - estimate)
    if (moved + rounding < best.error) best = { value: next, noise: rounding, error: moved + rounding }
    if (moved <= Math.max(accuracy, rounding)) break
    estimate = next
  }
  const result: NumericDerivative = { value: best.value, noise: best.noise }
  return result
})
