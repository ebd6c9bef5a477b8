/** Numbers in [0, 1) that the peers' scripts make in the same way (`uniforms` in bench/peers/side.py). */
export const uniforms = (count: number, seed: number): Float64Array => {
  let state = (seed * 2654435761 + 12345) % 2 ** 32
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  })
}

/** Token ids that the peers' scripts make in the same way: none is 0. */
export const ids = (count: number, seed: number, vocabulary: number): number[] =>
  Array.from(uniforms(count, seed), (value) => 1 + Math.floor(value * (vocabulary - 1)))

/** Numbers in −0.5 to 0.5. */
export const noise = (count: number, seed: number): Float32Array =>
  Float32Array.from(uniforms(count, seed), (value) => value - 0.5)
