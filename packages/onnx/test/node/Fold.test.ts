import assert from "node:assert/strict"
import { test } from "node:test"
import {
  bool,
  deadCode,
  float32,
  fold,
  type Graph,
  GraphBuilder,
  inferShapes,
  int,
  int64,
  ints,
  producers,
  reads,
  staticDims,
  type Tensor,
  upgrade,
  type Value,
} from "../../src/index.ts"
import { exports, readGraph } from "../support/golden.ts"
import { assertEqualResults, batch, run } from "./run.ts"

const operators = (graph: Graph): readonly string[] => graph.nodes.map((node) => node.op)

const x = float32(
  [2, 3, 4],
  Array.from({ length: 24 }, (_, index) => Math.cos(index)),
)

/** Values that follow from constants and shapes alone, as ONNX Runtime computes them for one batch. */
const valuesOfShapes = async (graph: Graph, feeds: Readonly<Record<string, Tensor>>): Promise<Map<string, Tensor>> => {
  const settled = new Set<string>()
  for (const node of graph.nodes) {
    const constant = reads(node).every((name) => settled.has(name) || graph.initializers.has(name))
    if (node.op === "Shape" || constant) for (const name of node.outputs) settled.add(name)
  }
  const outputs = [...settled].map((name): Value => ({ name, type: undefined, dims: undefined }))
  return new Map(Object.entries(await run(deadCode({ ...graph, outputs }), feeds)))
}

for (const path of exports) {
  test(`${path}: with one batch's values handed in, shape arithmetic is gone and results are equal`, async () => {
    const bound = upgrade({
      ...readGraph(path),
      inputs: readGraph(path).inputs.map((value) => ({ ...value, dims: [3, 10] })),
      values: new Map(),
    })
    const values = await valuesOfShapes(bound, batch)
    assert.ok(values.size > 20)
    const folded = fold(bound, values)
    await assertEqualResults(bound, folded, batch, 0)
    const made = producers(folded)
    for (const name of values.keys()) assert.ok(!made.has(name), `${name} is still made by a node`)
    for (const op of ["Shape", "Range", "ConstantOfShape", "Expand", "Slice"]) {
      assert.ok(!operators(folded).includes(op), `${op} is left`)
    }
    assert.ok(operators(folded).includes("IsNaN"))
    assert.ok(folded.nodes.length < 130, `${folded.nodes.length} nodes are left`)
    const shaped = inferShapes(folded)
    const unknown = folded.nodes.flatMap((node) =>
      node.outputs.filter((name) => staticDims(shaped.values.get(name)?.dims) === undefined),
    )
    assert.ok(unknown.length <= 3, `no shape for ${unknown}`)
  })

  test(`${path}: without values, for any batch, results are equal`, async () => {
    const graph = upgrade(readGraph(path))
    const folded = fold(graph)
    assert.ok(folded.nodes.length <= graph.nodes.length)
    await assertEqualResults(graph, folded, batch, 0)
  })
}

test("what changes nothing goes, whatever it is", async () => {
  const g = new GraphBuilder()
  const input = g.input("x", "float32", ["batch", 3, 4])
  const [inference] = g.op("Dropout", [input, g.scalar(0.5)])
  const [off] = g.op("Dropout", [inference, g.scalar(0.5), g.constant(bool([], [false]))])
  const [cast] = g.op("Cast", [off], { attributes: { to: int(1) } })
  const [transposed] = g.op("Transpose", [cast], { attributes: { perm: ints([0, 1, 2]) } })
  const [expanded] = g.op("Expand", [transposed, g.indices([1, 3, 4])])
  const [reshaped] = g.op("Reshape", [expanded, g.indices([0, 0, -1])])
  const sliced = g.slice(g.slice(reshaped!, 2, 0, 4), 0, 0, 2 ** 31 - 1)
  const graph = g.build({ y: g.exp(g.identity(sliced)) })
  assert.equal(graph.nodes.length, 10)
  const folded = fold(graph)
  assert.deepEqual(operators(folded), ["Exp"])
  assert.equal(folded.initializers.size, 0)
  await assertEqualResults(graph, folded, { x }, 0)
})

test("what changes something stays", async () => {
  const g = new GraphBuilder()
  const input = g.input("x", "float32", ["batch", 3, 4])
  const [training, mask] = g.op("Dropout", [input, g.scalar(0), g.constant(bool([], [true]))], { outputs: 2 })
  const [cast] = g.op("Cast", [mask], { attributes: { to: int(1) } })
  const [reversed] = g.op("Transpose", [training])
  const [expanded] = g.op("Expand", [input, g.indices([2, 2, 3, 4])])
  const sliced = g.slice(g.slice(input, 2, 0, 3), 1, 0, 3, 2)
  const graph = g.build({
    cast: cast!,
    reversed: reversed!,
    expanded: expanded!,
    sliced,
    flat: g.reshape(input, [-1, 12]),
    exact: g.cast(input, "float64"),
  })
  const folded = fold(graph)
  assert.deepEqual(operators(folded), operators(graph))
  await assertEqualResults(graph, folded, { x }, 0)
})

test("a Reshape of a Reshape becomes one, unless a zero leans on the first", async () => {
  const g = new GraphBuilder()
  const input = g.input("x", "float32", ["a", "b", 4])
  const first = g.reshape(input, [-1, 2])
  const graph = g.build({
    merged: g.reshape(g.reshape(first, [4, -1]), [-1, 3]),
    kept: g.reshape(first, [0, 2, 1]),
    first,
  })
  const folded = fold(graph)
  assert.deepEqual(operators(folded), ["Reshape", "Reshape", "Reshape"])
  assert.deepEqual(
    folded.nodes.map((node) => node.inputs[0]),
    ["x", "x", "first"],
  )
  await assertEqualResults(graph, folded, { x }, 0)
})

test("Shape with known dimensions is a constant, also a part of one", async () => {
  const g = new GraphBuilder()
  const input = g.input("x", "float32", ["batch", 3, 4])
  const part = (start: number, end?: number): Value =>
    g.op("Shape", [input], { attributes: { start: int(start), ...(end === undefined ? {} : { end: int(end) }) } })[0]!
  const graph = g.build({
    last: part(1),
    one: part(-2, -1),
    first: part(0, 1),
    all: g.op("Shape", [input])[0]!,
    sum: g.add(part(1), g.indices([1, 2])),
  })
  const folded = fold(graph)
  assert.deepEqual(operators(folded).toSorted(), ["Add", "Identity", "Identity", "Shape", "Shape"])
  await assertEqualResults(graph, folded, { x }, 0)
  const fixed = fold({ ...graph, inputs: [{ name: "x", type: "float32", dims: [2, 3, 4] }] })
  assert.ok(!operators(fixed).includes("Shape"))
  await assertEqualResults(graph, fixed, { x }, 0)
})

test("a value handed in may be one of several outputs, an output of the graph, or unknown", async () => {
  const g = new GraphBuilder()
  const input = g.input("x", "float32", [2, 3, 4])
  const [left, right] = g.split(g.exp(input), [1, 3], 2)
  const graph = g.build({ left: g.neg(left!), right: right!, copy: g.neg(right!) })
  const all = await run({ ...graph, outputs: [{ name: "right", type: "float32", dims: [2, 3, 3] }] }, { x })
  const name = graph.nodes.find((node) => node.op === "Split")?.outputs[0] ?? ""
  const values = new Map<string, Tensor>([
    ["right", all["right"]!],
    ["nobody", int64([], [1])],
  ])
  const folded = fold(graph, values)
  assert.deepEqual(operators(folded).toSorted(), ["Exp", "Identity", "Neg", "Neg", "Split"])
  await assertEqualResults(graph, folded, { x }, 0)
  const part = await run({ ...graph, outputs: [{ name, type: "float32", dims: [2, 3, 1] }] }, { x })
  const both = fold(graph, new Map([...values, [name, part[name]!]]))
  assert.deepEqual(operators(both).toSorted(), ["Identity", "Neg", "Neg"])
  assert.deepEqual(
    both.inputs.map((value) => value.name),
    ["x"],
  )
  await assertEqualResults(graph, both, { x }, 0)
})
