/** Some texts that run together, padded to `tokens`; `members` are their indices. */
export interface BatchPlan {
  readonly members: readonly number[]
  readonly tokens: number
}

/** Most tokens of one batch, padding included. On a CPU larger products are no faster, and memory grows with them. */
const tokenBudget = 1024

/** Divides texts into batches of similar length, longest first, each padded to its longest text. */
export const planBatches = (lengths: readonly number[], batchSize: number): readonly BatchPlan[] => {
  const order = lengths.map((_, index) => index).sort((a, b) => lengths[b]! - lengths[a]! || a - b)
  const plans: BatchPlan[] = []
  for (let start = 0; start < order.length; ) {
    const tokens = Math.max(1, lengths[order[start]!]!)
    const rows = Math.max(1, Math.min(batchSize, Math.floor(tokenBudget / tokens)))
    plans.push({ members: order.slice(start, start + rows), tokens })
    start += rows
  }
  return plans
}
