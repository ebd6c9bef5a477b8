import type { Words } from "./Words.ts"

/** Numbers in [0, 1), each of 32 bits. */
export const uniforms =
  (words: Words): (() => number) =>
  () =>
    words() / 2 ** 32

/**
 * Standard normal numbers, cut off at two deviations: sums of twelve uniforms, which need no function that engines
 * round differently.
 */
export const truncatedNormals = (words: Words): (() => number) => {
  const uniform = uniforms(words)
  return () => {
    for (;;) {
      let sum = -6
      for (let i = 0; i < 12; i++) sum += uniform()
      if (Math.abs(sum) <= 2) return sum
    }
  }
}
