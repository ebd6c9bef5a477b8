import assert from "node:assert/strict"
import { test } from "node:test"
import { matchParameters, transposeLast } from "@tandem/models/exported/MatchParameters"
import { float32 } from "@tandem/onnx"

/** Numbers that occur once each. */
const distinct = (dims: readonly number[], start: number) =>
  float32(
    dims,
    Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, index) => Math.sin(start + index)),
  )

const columns = (parts: readonly ReturnType<typeof distinct>[], rows: number) =>
  float32(
    [rows, parts.reduce((sum, part) => sum + part.data.length / rows, 0)],
    Array.from({ length: rows }, (_, row) =>
      parts.flatMap((part) =>
        Array.from(part.data.subarray((row * part.data.length) / rows, ((row + 1) * part.data.length) / rows)),
      ),
    ).flat(),
  )

const match = (
  initializers: Record<string, ReturnType<typeof distinct>>,
  weights: Record<string, ReturnType<typeof distinct>>,
) => matchParameters(new Map(Object.entries(initializers)), new Map(Object.entries(weights)), new Map())

test("a parameter is found in a larger initializer that joins several, transposed or not", () => {
  const [q, k] = [distinct([6, 4], 1), distinct([6, 4], 50)]
  const fused = columns([transposeLast(q), transposeLast(k)], 4)
  const { matched, unmatched, ambiguous } = match({ fused }, { q, k })
  assert.deepEqual([unmatched, ambiguous], [[], []])
  assert.deepEqual(
    matched.map(({ partners }) => partners),
    [
      [{ name: "fused", transposed: true, from: { row: 0, column: 0 }, dims: [4, 12] }],
      [{ name: "fused", transposed: true, from: { row: 0, column: 6 }, dims: [4, 12] }],
    ],
  )
})

test("a parameter is found in the initializers that hold it in pieces, and not in some of them alone", () => {
  const [left, right] = [distinct([4, 3], 1), distinct([4, 5], 50)]
  const whole = columns([left, right], 4)
  const [found] = match({ left, right }, { whole }).matched
  assert.deepEqual(found?.partners, [
    { name: "left", transposed: false, to: { row: 0, column: 0 }, dims: [4, 3] },
    { name: "right", transposed: false, to: { row: 0, column: 3 }, dims: [4, 5] },
  ])
  assert.deepEqual(match({ left }, { whole }).unmatched, ["whole"])
})

test("values that are all equal, or few, are never taken for a block", () => {
  const bias = float32([8], new Float32Array(8).fill(0.5))
  assert.deepEqual(match({ wide: float32([16], new Float32Array(16).fill(0.5)) }, { bias }).unmatched, ["bias"])
  const short = distinct([3], 1)
  assert.deepEqual(match({ wide: columns([short, distinct([3], 9)], 1) }, { short }).unmatched, ["short"])
})

test("what was computed beforehand of a parameter is its partner beside the parameter itself", () => {
  const mix = distinct([1, 1, 16], 3)
  const rest = float32(
    [1, 1, 16],
    mix.data.map((value) => 1 - value),
  )
  const other = distinct([1, 1, 16], 40)
  const [found] = match({ mix, rest, other }, { mix }).matched
  assert.deepEqual(
    found?.partners.map(({ name, scale }) => [name, scale === undefined ? 1 : Math.round(scale * 1e5) / 1e5]),
    [
      ["mix", 1],
      ["rest", -1],
    ],
  )
})
