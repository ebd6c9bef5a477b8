// Seeded pseudo-random numbers, so that a failing test fails again.

/** Numbers from a 32-bit xorshift-multiply generator (splitmix32). */
export const seeded = (seed: number) => {
  let state = seed | 0
  const next = (): number => {
    state = (state + 0x9e3779b9) | 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return (z ^ (z >>> 15)) >>> 0
  }
  const uniform = (): number => (next() + 0.5) / 2 ** 32
  return {
    uniform,
    /** A whole number from 0 to `count − 1`. */
    below: (count: number): number => Math.floor(uniform() * count),
    normal: (): number => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  }
}
