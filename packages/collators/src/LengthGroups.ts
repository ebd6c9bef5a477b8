import type { Tensor } from "@tandem/onnx"
import { toNumbers } from "@tandem/onnx"
import type { Bucket } from "./Buckets.ts"
import { InvalidBatch } from "./Errors.ts"

/** So many consecutive texts of a batch, none of them longer than `tokens`. */
export interface LengthGroup {
  readonly rows: number
  readonly tokens: number
}

/**
 * Cuts the rows of a mask `[rows, tokens] int64` (1 real, 0 padding behind it) at the given shares of the rows, for
 * encoders that attend group by group (`groups`). A group's length is its longest text's, rounded up by `bucket` and at
 * most `tokens`; neighbours of equal length are one group. Sort texts by length first, or there is little to gain.
 *
 * @throws InvalidBatch for a mask that is no matrix
 *
 * @example
 * ```ts
 * import { bucketLengths, lengthGroups } from "@tandem/collators"
 * import { int64 } from "@tandem/onnx"
 *
 * const mask = int64([4, 3], [1, 1, 1, 1, 0, 0, 1, 0, 0, 1, 0, 0])
 * console.log(lengthGroups(mask, [0.25], bucketLengths({ multiple: 1, maximum: 3 })))
 * // [ { rows: 1, tokens: 3 }, { rows: 3, tokens: 1 } ]
 * ```
 */
export const lengthGroups = (mask: Tensor, cuts: readonly number[], bucket: Bucket): readonly LengthGroup[] => {
  const [rows, tokens] = mask.dims
  if (rows === undefined || tokens === undefined || mask.dims.length !== 2) {
    throw new InvalidBatch({ message: "no groups can be made", expected: "a mask of rows", found: `[${mask.dims}]` })
  }
  const values = toNumbers(mask)
  const lengths = Array.from(
    { length: rows },
    (_, row) => values.slice(row * tokens, (row + 1) * tokens).lastIndexOf(1) + 1,
  )
  const ends = [...new Set([...cuts.map((share) => Math.round(share * rows)), rows])].filter((end) => end > 0)
  const groups: LengthGroup[] = []
  for (const [index, end] of ends.entries()) {
    const from = ends[index - 1] ?? 0
    const longest = Math.max(1, ...lengths.slice(from, end))
    const group = { rows: end - from, tokens: Math.min(tokens, bucket(longest)) }
    const before = groups.at(-1)
    if (before?.tokens === group.tokens) groups[groups.length - 1] = { ...group, rows: before.rows + group.rows }
    else groups.push(group)
  }
  return groups
}
