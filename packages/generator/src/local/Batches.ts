/** Groups whose members are run together, as places in the list that they were made of. */
export type Batches = readonly (readonly number[])[]

export interface BatchLimits {
  /** Most members of a batch. */
  readonly members: number
  /** Most places of a batch, padding included. */
  readonly places: number
  /** Whether members of different lengths may share a batch. */
  readonly uneven: boolean
}

/** Batches of neighbours in length, longest first. A member that alone exceeds the limits has a batch of its own. */
export const batchesOf = (lengths: readonly number[], { members, places, uneven }: BatchLimits): Batches => {
  const order = [...lengths.keys()].sort((a, b) => lengths[b]! - lengths[a]! || a - b)
  const batches: number[][] = []
  for (const index of order) {
    const last = batches.at(-1)
    const width = last === undefined ? 0 : lengths[last[0]!]!
    const fits = last !== undefined && last.length < members && (last.length + 1) * width <= places
    if (fits && (uneven || width === lengths[index])) last.push(index)
    else batches.push([index])
  }
  return batches
}
