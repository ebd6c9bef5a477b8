import { Random } from "@tandem/random"

export interface SubsetOptions {
  readonly size: number
  readonly seed: number | string
}

/** `size` of the items, drawn by the seed, in the order in which they stood; all of them where there are no more. */
export const subset = <A>(items: readonly A[], { size, seed }: SubsetOptions): readonly A[] => {
  if (items.length <= size) return items
  const drawn = Random.fromSeed(seed).sample([...items.keys()], size)
  return drawn.sort((a, b) => a - b).map((index) => items[index]!)
}
