import assert from "node:assert/strict"
import { it } from "node:test"
import { InvalidBatch, packedRows } from "@tandem/collators"
import { int64, toNumbers } from "@tandem/onnx"

const mask = int64([3, 4], [1, 1, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0])

it("names every real token once, in order, then distinct padding", () => {
  for (const multiple of [1, 2, 4, 5, 8, 100]) {
    const rows = toNumbers(packedRows(mask, multiple))
    assert.deepEqual(rows.slice(0, 6), [0, 1, 2, 4, 8, 9])
    assert.equal(new Set(rows).size, rows.length)
    assert.equal(rows.length, Math.min(12, Math.ceil(6 / multiple) * multiple))
    assert.ok(rows.every((row) => row >= 0 && row < 12))
  }
})

it("refuses what is no mask of rows and tokens", () => {
  assert.throws(() => packedRows(int64([12], toNumbers(mask)), 4), InvalidBatch)
  assert.throws(() => packedRows(mask, 0), InvalidBatch)
})
