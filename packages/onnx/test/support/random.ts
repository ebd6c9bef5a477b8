// Seeded pseudo-random numbers, so that a failing test fails again.
import { splitMix32 } from "@tandem/random"

export const seeded = (seed: number) => {
  const next = splitMix32(seed)
  const uniform = (): number => (next() + 0.5) / 2 ** 32
  return {
    uniform,
    /** A whole number from 0 to `count − 1`. */
    below: (count: number): number => Math.floor(uniform() * count),
    normal: (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  }
}
