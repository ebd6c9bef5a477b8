/** Of the rounds of a measurement. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** Median (the mean of the middle two where the count is even), least and largest of at least one value. */
export const spread = (values: readonly number[]): Spread => {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return {
    median: (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle)]!) / 2,
    min: sorted[0]!,
    max: sorted.at(-1)!,
  }
}
