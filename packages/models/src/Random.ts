/**
 * Numbers in [0, 1) from a seed, by Marsaglia's xorshift on four words seeded through SplitMix32. Only integer
 * arithmetic, so every JavaScript engine gives the same numbers.
 */
export const uniforms = (seed: number): (() => number) => {
  let state = seed | 0
  const split = (): number => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return z ^ (z >>> 16)
  }
  let [x, y, z, w] = [split(), split(), split(), split() | 1]
  return () => {
    const t = x ^ (x << 11)
    x = y
    y = z
    z = w
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8)
    return (w >>> 0) / 2 ** 32
  }
}

/**
 * Standard normal numbers, cut off at two deviations: sums of twelve uniforms, which need no function that engines
 * round differently.
 */
export const truncatedNormals = (seed: number): (() => number) => {
  const uniform = uniforms(seed)
  return () => {
    for (;;) {
      let sum = -6
      for (let i = 0; i < 12; i++) sum += uniform()
      if (Math.abs(sum) <= 2) return sum
    }
  }
}
