import { int64, type Tensor, toNumbers } from "@tandem/onnx"
import { InvalidBatch } from "./Errors.ts"
import type { LengthGroup } from "./LengthGroups.ts"

/**
 * The places of a padded batch that token-wise work is needed on, for encoders that take them (`packed_rows`): from a
 * mask `[rows, tokens] int64` (1 real, 0 padding) the numbers `row · tokens + column` of all real tokens in order,
 * followed by distinct padding places up to a multiple of `multiple` (at most all places), so that few lengths occur.
 * Where the encoder attends in `groups`, padding places lie within the lengths of their groups.
 *
 * @throws InvalidBatch for a mask that is no matrix, and a multiple that is no positive whole number
 *
 * @example
 * ```ts
 * import { packedRows } from "@tandem/collators"
 * import { int64, toNumbers } from "@tandem/onnx"
 *
 * const mask = int64([2, 3], [1, 1, 0, 1, 0, 0])
 * console.log(toNumbers(packedRows(mask, 4))) // [ 0, 1, 3, 2 ]
 * ```
 */
export const packedRows = (mask: Tensor, multiple: number, groups?: readonly LengthGroup[]): Tensor => {
  if (mask.dims.length !== 2 || !Number.isSafeInteger(multiple) || multiple < 1) {
    throw new InvalidBatch({
      message: "no rows can be packed with this",
      expected: "a mask of rows and tokens and a positive whole multiple",
      found: `a mask [${mask.dims}] and ${multiple}`,
    })
  }
  const real: number[] = []
  const padding: number[] = []
  const [texts = 0, tokens = 0] = mask.dims
  const widths = (groups ?? [{ rows: texts, tokens }]).flatMap((group) => Array<number>(group.rows).fill(group.tokens))
  for (const [place, value] of toNumbers(mask).entries()) {
    if (value !== 0) real.push(place)
    else if (place % tokens < (widths[Math.floor(place / tokens)] ?? 0)) padding.push(place)
  }
  const wanted = Math.max(1, Math.ceil(real.length / multiple)) * multiple
  const rows = [...real, ...padding.slice(0, Math.max(0, wanted - real.length))]
  return int64([rows.length], rows)
}
