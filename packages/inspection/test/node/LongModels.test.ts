// Models of many nodes: no walk is as deep as the graph, and none looks at everything once for each of its parts.
import assert from "node:assert/strict"
import { test } from "node:test"
import { float32, type Graph, GraphBuilder, type Node, type Value } from "@tandem/onnx"
import { inspectModel } from "../../src/Inspect.ts"
import { sampleInputs } from "../../src/SampleInputs.ts"
import { withRuntime } from "../support/WithRuntime.ts"

/** Of each kind of node; a stack overflows at fewer steps than there are in all. */
const length = 2500

const inspect = (graph: Graph) => withRuntime(inspectModel(graph, { batch: 2, length: 4 }))

const vector = (...values: readonly number[]) => float32([values.length], values)

test("a chain of functions, of new shapes, of sums with one value and with a weight each", async () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", ["batch", 4])
  const w = g.initializer("w", float32([4, 1], [1, 2, 3, 4]))
  const first = g.matmul(x, w)
  const steps: readonly ((y: Value, index: number) => Value)[] = [
    (y, index) => (index % 2 === 0 ? g.tanh(y) : g.sigmoid(y)),
    (y, index) => g.reshape(y, index % 2 === 0 ? [-1, 1, 1] : [-1, 1]),
    (y) => g.add(y, first),
    (y, index) => g.add(y, g.initializer(`w${index}`, float32([1, 4], [index, 1, 2, 3]))),
  ]
  let y = first
  for (const step of steps) for (let index = 0; index < length; index++) y = step(y, index)
  const report = await inspect(g.build({ y }))
  assert.deepEqual(report.gaps, [])
  assert.equal(report.trainable, 4 + 4 * length)
  assert.equal(report.step?.flops.forward, 2 * 2 * 4)
})

test("a sum of weights before any input comes to it", async () => {
  const g = new GraphBuilder()
  let sum = g.initializer("w", vector(1, 2, 3, 4))
  for (let index = 0; index < length; index++) sum = g.add(sum, g.initializer(`w${index}`, vector(index, 1, 2, 3)))
  const report = await inspect(g.build({ y: g.mul(g.input("x", "float32", ["batch", 4]), sum) }))
  assert.equal(report.trainable, 4 + 4 * length)
})

test("a gap for every node, of which each weight names the first before it", async () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", ["batch", 4])
  let y = g.add(x, g.initializer("first", vector(1, 2, 3, 4)))
  for (let index = 0; index < length; index++) {
    const [made] = g.op("Unheard", [g.add(y, g.initializer(`w${index}`, vector(index, 1, 2, 3)))], {
      domain: "somebody.else",
      name: `gap ${index}`,
      outputs: [{ type: "float32", dims: ["batch", 4] }],
    })
    y = made!
  }
  const report = await inspect(g.build({ y: g.mul(y, g.initializer("last", vector(1, 2, 3, 4))) }))
  assert.equal(report.gaps.length, length)
  assert.equal(report.trainable, 4)
  const reasons = new Map(report.weights.map(({ name, reason }) => [name, reason]))
  assert.match(reasons.get("first") ?? "", /^behind somebody.else.Unheard \(gap 0\)/)
  assert.match(reasons.get("w7") ?? "", /^behind somebody.else.Unheard \(gap 7\)/)
})

test("an input that more nodes read than a call has arguments", () => {
  const nodes = Array.from(
    { length: 150_000 },
    (_, index): Node => ({
      op: "Identity",
      domain: "",
      name: `${index}`,
      inputs: [index % 2 === 0 ? "ids" : `y${index - 1}`],
      outputs: [`y${index}`],
      attributes: {},
    }),
  )
  const graph: Graph = {
    name: "wide",
    inputs: [{ name: "ids", type: "int64", dims: [2] }],
    outputs: [{ name: "y1", type: "int64", dims: [2] }],
    nodes,
    initializers: new Map(),
    values: new Map(),
    opsets: new Map([["", 20]]),
  }
  assert.deepEqual(sampleInputs(graph)["ids"]?.dims, [2])
})
