// Dropout's masks become factors where nothing but products is made of them, and only then.
import assert from "node:assert/strict"
import { test } from "node:test"
import { float32, type Graph, GraphBuilder, type Value } from "@tandem/onnx"
import { maskFactors } from "../src/internal/maskFactors.ts"

const dims = [3, 4]

/** A graph of x and a mask. */
const graphOf = (body: (g: GraphBuilder, x: Value, mask: Value) => Value): Graph => {
  const g = new GraphBuilder()
  return g.build({ y: body(g, g.input("x", "float32", dims), g.input("mask", "bool", dims)) })
}
const masked = (g: GraphBuilder, x: Value, mask: Value): Value => g.where(mask, x, g.scalar(0))
const operators = ({ nodes }: Graph): readonly string[] => nodes.map(({ op }) => op)

test("a mask that chooses between values and 0 is a factor of bytes", () => {
  const graph = maskFactors(graphOf(masked), ["mask"])
  assert.deepEqual(operators(graph), ["DequantizeLinear"])
  assert.deepEqual(
    graph.inputs.map(({ type }) => type),
    ["float32", "uint8"],
  )
  assert.equal(graph.opsets.get(""), 21)
})

test("two choices that are written differently stay two nodes", () => {
  const twice = graphOf((g, x, mask) => g.add(masked(g, x, mask), g.where(mask, x, g.constant(float32([1], [0])))))
  const [first, second] = maskFactors(twice, ["mask"]).nodes
  assert.deepEqual([first?.op, second?.op], ["DequantizeLinear", "DequantizeLinear"])
  assert.notDeepEqual(first?.attributes, second?.attributes)
})

const left: Readonly<Record<string, Graph>> = {
  "is not named": maskFactors(graphOf(masked), ["x"]),
  "is read by something else, too": maskFactors(
    graphOf((g, x, mask) => g.add(masked(g, x, mask), g.cast(mask, "float32"))),
    ["mask"],
  ),
  "chooses another value than 0": maskFactors(
    graphOf((g, x, mask) => g.where(mask, x, g.scalar(1))),
    ["mask"],
  ),
  "chooses 0 where it holds": maskFactors(
    graphOf((g, x, mask) => g.where(mask, g.scalar(0), x)),
    ["mask"],
  ),
  "is of another shape": maskFactors(
    graphOf((g, x, mask) => masked(g, g.reduceSum(x, [1], true), mask)),
    ["mask"],
  ),
  "chooses between numbers of another type": maskFactors(
    graphOf((g, x, mask) =>
      g.where(mask, g.cast(x, "float64"), g.constant({ type: "float64", dims: [], data: Float64Array.of(0) })),
    ),
    ["mask"],
  ),
  "stands beside an operator that the next operator set changes": maskFactors(
    graphOf((g, x, mask) => g.op("GroupNormalization", [masked(g, x, mask)])[0]!),
    ["mask"],
  ),
}
for (const [name, graph] of Object.entries(left)) {
  test(`a mask stays one that ${name}`, () => {
    assert.ok(operators(graph).includes("Where"))
    assert.deepEqual(
      graph.inputs.map(({ type }) => type),
      ["float32", "bool"],
    )
    assert.equal(graph.opsets.get(""), 20)
  })
}
