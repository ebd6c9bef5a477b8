import { InvalidBatch } from "./Errors.ts"

/** The padded length for texts of which the longest has `length` tokens; never below it. */
export type Bucket = (length: number) => number

/**
 * Lengths rounded up to a multiple, and at most `maximum`: few different shapes, so that few graphs are compiled.
 *
 * @throws InvalidBatch for settings that are no positive whole numbers, and by the returned function for a longer text
 *
 * @example
 * ```ts
 * import { bucketLengths } from "@tandem/collators"
 *
 * const bucket = bucketLengths({ multiple: 32, maximum: 250 })
 * console.log(bucket(7), bucket(33), bucket(249)) // 32 64 250
 * ```
 */
export const bucketLengths = ({
  multiple,
  maximum,
}: {
  readonly multiple: number
  readonly maximum: number
}): Bucket => {
  if (![multiple, maximum].every((size) => Number.isSafeInteger(size) && size > 0)) {
    throw new InvalidBatch({
      message: "lengths cannot be put into such buckets",
      expected: "positive whole numbers",
      found: JSON.stringify({ multiple, maximum }),
    })
  }
  return (length) => {
    if (length > maximum) {
      throw new InvalidBatch({
        message: "a text has more tokens than the longest bucket holds",
        expected: `at most ${maximum}`,
        found: `${length}`,
        hint: "truncate texts before they are collated",
      })
    }
    return Math.min(maximum, Math.max(1, Math.ceil(length / multiple)) * multiple)
  }
}
