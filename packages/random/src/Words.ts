/** A generator: each call gives the next unsigned 32-bit integer. */
export type Words = () => number

/** The finaliser of MurmurHash3: a bijection on 32-bit integers in which every bit of the result depends on all bits. */
export const mix32 = (value: number): number => {
  let h = value
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** SplitMix32: steps of the golden ratio, each mixed by {@link mix32}. Any seed is a good one. */
export const splitMix32 = (seed: number): Words => {
  let state = seed | 0
  return () => {
    state = (state + 0x9e3779b9) | 0
    return mix32(state)
  }
}

/** Marsaglia's xorshift on four words ("Xorshift RNGs", 2003), seeded through {@link splitMix32}. */
export const xorshift128 = (seed: number): Words => {
  const split = splitMix32(seed)
  let [x, y, z, w] = [split(), split(), split(), split() | 1]
  return () => {
    const t = x ^ (x << 11)
    x = y
    y = z
    z = w
    w = w ^ (w >>> 19) ^ t ^ (t >>> 8)
    return w >>> 0
  }
}

/** mulberry32 (Ettinger, 2017): one word of state, quick. */
export const mulberry32 = (seed: number): Words => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

/**
 * The linear congruential generator of "Numerical Recipes", which is a line in any language; its low bits repeat soon.
 * The benchmarks' peers make the same numbers in Python.
 */
export const lcg32 = (seed: number): Words => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state
  }
}

/** A linear congruential generator whose high bits are folded into its low ones first, with two primes of xxHash32. */
export const scrambledLcg32 = (seed: number): Words => {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 3266489917) >>> 0
    return state
  }
}
