import assert from "node:assert/strict"
import { test } from "node:test"
import { bucketLengths, InvalidBatch, lengthGroups } from "@tandem/collators"
import { int64 } from "@tandem/onnx"

/** A mask of texts of these lengths. */
const maskOf = (lengths: readonly number[], tokens: number) =>
  int64(
    [lengths.length, tokens],
    lengths.flatMap((length) => Array.from({ length: tokens }, (_, column) => (column < length ? 1 : 0))),
  )
const bucket = bucketLengths({ multiple: 4, maximum: 16 })

test("rows are cut at shares, a group is as long as its longest text rounded up, equal neighbours are one", () => {
  const mask = maskOf([16, 11, 9, 8, 7, 6, 5, 2], 16)
  assert.deepEqual(lengthGroups(mask, [0.25, 0.75], bucket), [
    { rows: 2, tokens: 16 },
    { rows: 4, tokens: 12 },
    { rows: 2, tokens: 8 },
  ])
  assert.deepEqual(lengthGroups(maskOf([12, 12, 12, 11, 10, 9, 3, 1], 12), [0.25, 0.75], bucket), [
    { rows: 6, tokens: 12 },
    { rows: 2, tokens: 4 },
  ])
})

test("small batches, unsorted ones and empty texts", () => {
  assert.deepEqual(lengthGroups(maskOf([3], 4), [0.25, 0.75], bucket), [{ rows: 1, tokens: 4 }])
  assert.deepEqual(lengthGroups(maskOf([1, 7], 7), [0.25, 0.75], bucket), [
    { rows: 1, tokens: 4 },
    { rows: 1, tokens: 7 },
  ])
  assert.deepEqual(lengthGroups(maskOf([0, 0], 4), [], bucket), [{ rows: 2, tokens: 4 }])
  assert.throws(() => lengthGroups(int64([3], [1, 1, 0]), [], bucket), InvalidBatch)
})
