/** Token ids that the peers' scripts make in the same way (bench/peers/numbers.py): a linear congruential generator. */
export const ids = (count: number, seed: number, vocabulary: number): number[] => {
  let state = (seed * 2654435761 + 12345) % 2 ** 32
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return 1 + Math.floor((state / 2 ** 32) * (vocabulary - 1))
  })
}
