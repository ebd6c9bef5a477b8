import assert from "node:assert/strict"
import { test } from "node:test"
import { InvalidTensor } from "../src/Errors.ts"
import { GraphBuilder } from "../src/GraphBuilder.ts"
import { readModel } from "../src/Model.ts"
import { toHalf } from "../src/passes/Half.ts"
import { float32, int64 } from "../src/Tensor.ts"
import { writeModel, writeModelExternal } from "../src/WriteModel.ts"

/** Rotary angles of positions, a product, a mask, a root-mean-square norm: what a decoder's graph holds. */
const example = () => {
  const g = new GraphBuilder()
  const positions = g.input("positions", "int64", [2])
  const x = g.input("x", "float32", [2, 2])
  const angles = g.mul(g.cast(positions, "float32"), g.constant(float32([1], [0.25])))
  const w = g.initializer("w", float32([2, 2], [1, 2, 3, 4]))
  const y = g.mul(g.matmul(x, w), g.reshape(g.cos(angles), [2, 1]))
  const masked = g.where(g.greater(positions, g.constant(int64([1], [0]))), y, g.scalar(-1e9))
  const root = g.sqrt(g.add(g.reduceMean(g.pow(masked, g.scalar(2)), [1]), g.scalar(1e-6)))
  return g.build({ y: g.mul(masked, g.reciprocal(root)), angle: angles })
}

test("products become 16 bits wide, angles and statistics stay at 32, the ends keep their type", () => {
  const graph = toHalf(example())
  const at = (op: string) => graph.nodes.filter((node) => node.op === op)
  assert.equal(graph.initializers.get("w")?.type, "float16")
  assert.deepEqual(
    graph.outputs.map(({ name, type }) => [name, type]),
    [
      ["y", "float32"],
      ["angle", "float32"],
    ],
  )
  // Into the product, of the cosines, into the power, of the root's reciprocal, out
  assert.deepEqual(
    at("Cast").map((node) => node.attributes["to"]),
    [1, 10, 10, 1, 10, 1].map((value) => ({ kind: "int", value })),
  )
  const halves = [...graph.initializers.values()].filter(({ type }) => type === "float16")
  assert.deepEqual(halves.map(({ dims }) => dims.join()).sort(), ["", "2,2"])
  const mask = halves.find(({ dims }) => dims.length === 0)
  assert.equal(mask?.data[0], 0xf0e2, "the mask's floor is -10000")
})

test("ends become 16 bits wide where that is asked for", () => {
  const graph = toHalf(example(), { ends: (name) => name !== "angle" })
  assert.deepEqual(
    graph.inputs.map(({ type }) => type),
    ["int64", "float16"],
  )
  assert.deepEqual(
    graph.outputs.map(({ type }) => type),
    ["float16", "float32"],
  )
})

test("a weight that 16 bits cannot hold is refused by name", () => {
  const g = new GraphBuilder()
  const w = g.initializer("w", float32([1, 2], [1, 1e5]))
  const graph = g.build({ y: g.matmul(g.input("x", "float32", [1, 1]), w) })
  assert.throws(
    () => toHalf(graph),
    (error) => error instanceof InvalidTensor && error.tensor === "w",
  )
})

test("large tensors go to data files of a limited size and are read back", () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [1, 512])
  const big = (name: string, seed: number) =>
    g.initializer(
      name,
      float32(
        [512],
        Float32Array.from({ length: 512 }, (_, index) => index * seed),
      ),
    )
  const y = g.add(g.mul(g.add(x, big("a", 1)), big("b", 2)), big("c", 3))
  const graph = g.build({ y: g.mul(y, g.initializer("small", float32([1], [2]))) })
  const { model, files } = writeModelExternal(graph, { location: "model.onnx_data", largestFile: 7000 })
  assert.deepEqual([...files.keys()], ["model.onnx_data", "model.onnx_data_1"])
  const again = readModel(model, {
    external: (location) => new Uint8Array(Buffer.concat([...(files.get(location) ?? [])])),
  })
  assert.ok(model.byteLength < 1000)
  for (const [name, value] of graph.initializers) assert.deepEqual(again.initializers.get(name)?.data, value.data)
  assert.ok(writeModel(graph).byteLength > 6000)
})
