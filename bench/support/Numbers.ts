import { lcg32, uniforms as uniformsOf } from "@tandem/random"

/** Numbers in [0, 1), one for each call. */
const generator = (seed: number): (() => number) => uniformsOf(lcg32((seed * 2654435761 + 12345) % 2 ** 32))

/** Numbers in [0, 1) that the peers' scripts make in the same way (`uniforms` in bench/peers/side.py). */
export const uniforms = (count: number, seed: number): Float64Array =>
  Float64Array.from({ length: count }, generator(seed))

/** Token ids that the peers' scripts make in the same way: none is 0. */
export const ids = (count: number, seed: number, vocabulary: number): number[] =>
  Array.from(uniforms(count, seed), (value) => 1 + Math.floor(value * (vocabulary - 1)))

/** Numbers around a center, spread evenly over a width; nothing is held beside them. */
export const noise = (count: number, seed: number, width = 1, center = 0): Float32Array => {
  const next = generator(seed)
  const values = new Float32Array(count)
  for (let index = 0; index < count; index++) values[index] = center + width * (next() - 0.5)
  return values
}
