/**
 * Each value's mean with its neighbours, weights falling by half every hundredth or so of the series on both sides, so
 * that what is smoothed does not lag behind. Values that are no finite numbers have no weight; the result is NaN there.
 */
export const smooth = (values: readonly number[]): readonly number[] => {
  const keep = 1 - 1 / Math.max(3, values.length / 100)
  const before = sums(values, keep)
  const after = sums(values.toReversed(), keep).reverse()
  // Both sides count the value itself.
  return values.map((value, index) => {
    const [left, right] = [before[index], after[index]]
    return left === undefined || right === undefined || !Number.isFinite(value)
      ? Number.NaN
      : (left.total + right.total - value) / (left.weight + right.weight - 1)
  })
}

/** Sums of each value and those before it, and of their weights. */
const sums = (values: readonly number[], keep: number) => {
  let [total, weight] = [0, 0]
  return values.map((value) => {
    const counts = Number.isFinite(value)
    total = keep * total + (counts ? value : 0)
    weight = keep * weight + (counts ? 1 : 0)
    return { total, weight }
  })
}
