/** Some texts that run together: `rows` × `tokens` is the compiled shape, `members` index the texts that fill it. */
export interface BatchPlan {
  readonly members: readonly number[]
  readonly rows: number
  readonly tokens: number
}

export interface PlanOptions {
  readonly batchSize: number
  readonly maxLength: number
}

/** Most tokens of one batch, padding included. On a CPU larger products are no faster, and memory grows with them. */
const tokenBudget = 2048

/**
 * The width that a text of `length` tokens is padded to: multiples of 16 up to 64, of 32 up to 256, of 64 up to 512,
 * of 128 above; never more than `maxLength`.
 */
export const bucketOf = (length: number, maxLength: number): number => {
  const step = length <= 64 ? 16 : length <= 256 ? 32 : length <= 512 ? 64 : 128
  return Math.max(1, Math.min(maxLength, Math.ceil(length / step) * step))
}

/** Rows of a full batch of this width. */
const rowsOf = (tokens: number, batchSize: number): number =>
  Math.max(1, Math.min(batchSize, Math.floor(tokenBudget / tokens)))

/**
 * Divides texts into batches of similar length, longest first. Full batches of one width share one shape; a batch that
 * is not full has the next power of two as rows, so few shapes come up.
 */
export const planBatches = (lengths: readonly number[], options: PlanOptions): readonly BatchPlan[] => {
  const order = lengths.map((_, index) => index).sort((a, b) => lengths[b]! - lengths[a]! || a - b)
  const plans: BatchPlan[] = []
  for (let start = 0; start < order.length; ) {
    const tokens = bucketOf(lengths[order[start]!]!, options.maxLength)
    const full = rowsOf(tokens, options.batchSize)
    const members = order.slice(start, start + full)
    const rows = members.length === full ? full : Math.min(full, 2 ** Math.ceil(Math.log2(members.length)))
    plans.push({ members, rows, tokens })
    start += members.length
  }
  return plans
}
