import assert from "node:assert/strict"
import { test } from "node:test"
import { float32, readModel, type Tensor } from "@tandem/onnx"
import { tiedWeights, tieWeights, withCopies } from "../../src/exported/TiedWeights.ts"
import { execute } from "../support/Embed.ts"
import { goldenBytes, goldenTensors, largestDifference } from "../support/Golden.ts"

const matrix = (rows: number, columns: number, phase = 0): Tensor =>
  float32(
    [rows, columns],
    Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i * i + phase)),
  )

const turned = ({ dims: [rows = 0, columns = 0], data }: Tensor): Tensor =>
  float32(
    [columns, rows],
    Float32Array.from({ length: rows * columns }, (_, i) => Number(data[(i % rows) * columns + Math.floor(i / rows)])),
  )

test("copies are told by their values, turned ones too, and follow the first", () => {
  const [a, square] = [matrix(3, 4), matrix(4, 4, 1)]
  const weights = new Map([
    ["a", a],
    ["b", turned(a)],
    ["c", matrix(3, 4, 2)],
    ["d", a],
    ["e", square],
    ["f", turned(square)],
  ])
  const tied = tiedWeights(weights)
  assert.deepEqual(
    [...tied],
    [
      ["b", { name: "a", transposed: true }],
      ["d", { name: "a", transposed: false }],
      ["f", { name: "e", transposed: true }],
    ],
  )
  const kept = new Map([...weights].filter(([name]) => !tied.has(name)))
  assert.deepEqual(new Map([...withCopies(kept, tied)].toSorted()), weights)
})

test("what is constant, or has few values, is tied to nothing", () => {
  const of = (value: (i: number) => number) =>
    float32(
      [4, 4],
      Float32Array.from({ length: 16 }, (_, i) => value(i)),
    )
  for (const value of [() => 1, () => 0, (i: number) => i % 7]) {
    assert.equal(
      tiedWeights(
        new Map([
          ["a", of(value)],
          ["b", of(value)],
        ]),
      ).size,
      0,
    )
  }
  assert.equal(
    tiedWeights(
      new Map([
        ["a", matrix(3, 4)],
        ["b", float32([4, 3], Float32Array.from(matrix(3, 4).data, Number))],
      ]),
    ).size,
    0,
  )
})

for (const [model, copy, weight] of [
  ["smollm/dynamo", "val_380", "model.lm_head.weight"],
  ["smollm/script", "onnx::MatMul_767", "model.model.embed_tokens.weight"],
] as const) {
  test(`${model}: embeddings that are the output layer are one weight, and outputs stay`, async () => {
    const graph = readModel(goldenBytes(`exports/${model}.onnx`))
    const tied = tiedWeights(new Map([...graph.initializers].filter(([, { type }]) => type === "float32")))
    assert.deepEqual([...tied], [[copy, { name: weight, transposed: true }]])
    const reference = goldenTensors("exports/smollm/reference.safetensors")
    const feeds = Object.fromEntries(graph.inputs.map(({ name }) => [name, reference.get(`in.${name}`)!]))
    const found = Object.values(await execute(tieWeights(graph, tied), feeds))[0]
    assert.ok(largestDifference(found, reference.get("out")!) < 1e-4)
  })
}
