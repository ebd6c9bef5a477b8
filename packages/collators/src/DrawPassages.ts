import { Random } from "@tandem/random"

/** What a draw depends on, besides the ids to draw from. */
export interface Draw {
  readonly seed: number | string
  readonly epoch: number
  /** The example's id. */
  readonly example: string
}

/**
 * `count` different hard negatives of an example for one epoch, in random order; all there are where there are fewer.
 *
 * Where the candidates come from is the caller's choice: the data's own negatives, passages of the same document, the
 * first of a BM25 search, or none at all. Ids in `relevant` are never drawn. The draw depends on `draw` and the
 * candidates alone, not on the step or on other examples.
 *
 * @example
 * ```ts
 * import { drawNegatives } from "@tandem/collators"
 *
 * const draw = { seed: 1, epoch: 0, example: "q7" }
 * console.log(drawNegatives(["p1", "p2", "p3"], new Set(["p2"]), 2, draw).length) // 2
 * ```
 */
export const drawNegatives = (
  candidates: readonly string[],
  relevant: ReadonlySet<string>,
  count: number,
  { seed, epoch, example }: Draw,
): readonly string[] => {
  const others = [...new Set(candidates)].filter((id) => !relevant.has(id))
  return Random.fromSeed(seed).derive("negatives", epoch, example).sample(others, count)
}

/** The positive that stands for an example in one epoch, each as likely; a `RangeError` where there is none. */
export const drawPositive = (positives: readonly string[], { seed, epoch, example }: Draw): string =>
  positives.length === 1 ? positives[0]! : Random.fromSeed(seed).derive("positive", epoch, example).choice(positives)
