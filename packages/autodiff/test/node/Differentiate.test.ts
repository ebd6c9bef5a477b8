import assert from "node:assert/strict"
import { after, describe, it } from "node:test"
import {
  describeValue,
  float32,
  type Graph,
  GraphBuilder,
  int64,
  type Tensor,
  toNumbers,
  type Value,
} from "@tandem/onnx"
import { differentiate } from "../../src/Differentiate.ts"
import { spread } from "../cases/Values.ts"
import { cpu } from "../support/Run.ts"

const { run, close } = cpu()
after(close)

/** Compares every element of every gradient with a central difference of the loss. */
const assertGradients = async (graph: Graph, feeds: Readonly<Record<string, Tensor>>, wrt: readonly string[]) => {
  const outputs = await run(differentiate(graph, { loss: "loss", wrt }), feeds)
  const lossAt = async (name: string, index: number, step: number) => {
    const values = toNumbers(feeds[name]!)
    values[index]! += step
    const result = await run(graph, { ...feeds, [name]: float32(feeds[name]!.dims, values) })
    return toNumbers(result["loss"]!)[0]!
  }
  for (const name of wrt) {
    const gradient = outputs[`grad.${name}`]!
    assert.deepEqual(gradient.dims, feeds[name]!.dims)
    const found = toNumbers(gradient)
    const scale = Math.max(...found.map(Math.abs))
    assert.ok(scale > 0)
    for (const [index, value] of found.entries()) {
      const slope = ((await lossAt(name, index, 0.01)) - (await lossAt(name, index, -0.01))) / 0.02
      assert.ok(Math.abs(slope - value) <= 1e-2 * scale, `${name}[${index}]: ${value} and not ${slope}`)
    }
  }
}

const sumSquares = (g: GraphBuilder, ...values: readonly Parameters<GraphBuilder["neg"]>[0][]) =>
  values.map((value) => g.reduceSum(g.mul(value, value), [], false)).reduce((sum, value) => g.add(sum, value))

describe("differentiate", () => {
  it("adds up the gradients of a weight that is used several times, in products, bias and lookup", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [2, 3, 3])
    const w = g.input("w", "float32", [3, 3])
    const rows = g.gather(w, g.constant(int64([2], [2, 2])))
    const twice = g.matmul(g.matmul(x, w), w)
    const bent = g.gemm(g.tanh(w), w, { transB: true, c: w })
    const graph = g.build({ loss: sumSquares(g, twice, bent, rows, g.gather(w, g.constant(int64([], [-1])), 1)) })
    await assertGradients(graph, { x: spread([2, 3, 3], -0.7, 0.8), w: spread([3, 3], -0.6, 0.7, 2) }, ["x", "w"])
  })

  it("differentiates a subexpression that was written twice once, and right", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [4])
    const loss = sumSquares(g, g.mul(g.exp(x), g.exp(x)), g.sub(g.exp(x), x))
    const graph = g.build({ loss })
    assert.equal(graph.nodes.filter((node) => node.op === "Exp").length, 1)
    const differentiated = differentiate(graph, { loss: "loss", wrt: ["x"] })
    assert.equal(differentiated.nodes.filter((node) => node.op === "Exp").length, 1)
    await assertGradients(graph, { x: spread([4], -0.5, 0.6) }, ["x"])
  })

  it("sums a softmax's gradient over the product's columns where that is the same and less, and only there", async () => {
    const columns = 2
    const forms: Record<string, (g: GraphBuilder, y: Value, v: Value) => Value> = {
      product: (g, y, v) => g.matmul(y, v),
      "product of what is not dropped": (g, y, v) => {
        const keep = g.constant({ type: "bool", dims: [3], data: Uint8Array.of(1, 0, 1) })
        return g.matmul(g.where(keep, y, g.scalar(0)), v)
      },
      "read twice": (g, y, v) => g.add(g.matmul(y, v), g.reduceSum(g.mul(y, y), [-1], true)),
      "other value than 0": (g, y, v) => {
        const keep = g.constant({ type: "bool", dims: [3], data: Uint8Array.of(1, 0, 1) })
        return g.matmul(g.where(keep, y, g.scalar(0.5)), v)
      },
      "right operand": (g, y, v) => g.matmul(g.transpose(v, [0, 2, 1]), g.transpose(y, [0, 2, 1])),
      "right operand as it is": (g, y, v) => g.matmul(g.transpose(v, [0, 2, 1]), y),
    }
    for (const [name, form] of Object.entries(forms)) {
      const g = new GraphBuilder()
      const y = g.softmax(g.input("x", "float32", [2, 3, 3]), -1)
      const graph = g.build({ loss: sumSquares(g, form(g, y, g.input("v", "float32", [2, 3, columns]))) })
      const result = differentiate(graph, { loss: "loss", wrt: ["x", "v"] })
      const narrow = result.nodes.filter(({ op, inputs, outputs }) => {
        const [from, to] = [inputs[0]!, outputs[0]!].map((value) => `${describeValue(result, value).dims}`)
        return op === "ReduceSum" && from === `2,3,${columns}` && to === "2,3,1"
      })
      await assertGradients(graph, { x: spread([2, 3, 3], -0.7, 0.8), v: spread([2, 3, columns], -0.6, 0.7, 2) }, ["x"])
      assert.equal(narrow.length, name.startsWith("product") ? 1 : 0, name)
    }
  })

  it("fills in zeros for the parts of a split that the loss does not read", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [6, 2])
    const [first, , last] = g.split(x, [1, 3, 2], 0)
    const graph = g.build({ loss: sumSquares(g, last!, g.add(first!, last!)) })
    await assertGradients(graph, { x: spread([6, 2]) }, ["x"])
  })

  it("sums over whatever was broadcast, through several nodes", async () => {
    const g = new GraphBuilder()
    const bias = g.input("bias", "float32", [3])
    const scale = g.input("scale", "float32", [])
    const x = g.input("x", "float32", [2, 1, 3])
    const graph = g.build({ loss: sumSquares(g, g.mul(g.add(g.expand(x, [2, 4, 3]), bias), scale)) })
    const feeds = { bias: spread([3]), scale: float32([], [0.5]), x: spread([2, 1, 3], -1, 1, 2) }
    await assertGradients(graph, feeds, ["bias", "scale", "x"])
  })

  it("takes a guard that is made of the value itself for what it is, a condition", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [3])
    const y = g.softmax(x)
    const guarded = g.where(g.op("IsNaN", [y])[0]!, g.scalar(0), y)
    const graph = g.build({ loss: sumSquares(g, guarded) })
    await assertGradients(graph, { x: float32([3], [0.2, -0.4, 1]) }, ["x"])
  })

  it("has a gradient of 0, not NaN, for attention rows that are masked whole and guarded as exporters do", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [2, 3])
    const open = g.constant({ type: "bool", dims: [2, 3], data: Uint8Array.of(1, 1, 0, 0, 0, 0) })
    const masked = g.add(x, g.where(open, g.scalar(0), g.scalar(Number.NEGATIVE_INFINITY)))
    const y = g.softmax(masked)
    const guarded = g.where(g.op("IsNaN", [y])[0]!, g.scalar(0), y)
    const graph = differentiate(g.build({ loss: sumSquares(g, guarded) }), { loss: "loss", wrt: ["x"] })
    const found = toNumbers((await run(graph, { x: float32([2, 3], [0.2, -0.4, 1, 3, 2, 1]) }))["grad.x"]!)
    assert.ok(found.slice(0, 2).every((value) => Math.abs(value) > 0.01))
    assert.ok(found.slice(2).every((value) => value === 0))
  })

  it("takes a loss of 64 bits", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float64", [3])
    const graph = differentiate(g.build({ loss: g.reduceSum(g.mul(x, x), [], false) }), { loss: "loss", wrt: ["x"] })
    const outputs = await run(graph, { x: { type: "float64", dims: [3], data: Float64Array.of(1, -2, 0.5) } })
    assert.deepEqual(outputs["grad.x"], { type: "float64", dims: [3], data: Float64Array.of(2, -4, 1) })
  })

  it("makes inputs of the initializers that it differentiates by, and leaves the others inside", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [2, 3])
    const w = g.initializer("w", spread([3, 2]))
    const fixed = g.initializer("fixed", spread([2], -1, 1, 2))
    const graph = g.build({ loss: sumSquares(g, g.add(g.matmul(x, w), fixed)) })
    const differentiated = differentiate(graph, { loss: "loss", wrt: ["w"] })
    assert.deepEqual(
      differentiated.inputs.map((input) => input.name),
      ["x", "w"],
    )
    assert.deepEqual(
      [...differentiated.initializers.keys()].filter((name) => name === "fixed" || name === "w"),
      ["fixed"],
    )
    const feeds = { x: spread([2, 3]), w: spread([3, 2]) }
    const before = await run(graph, { x: feeds.x })
    const after_ = await run(differentiated, feeds)
    assert.deepEqual(after_["loss"], before["loss"])
  })

  it("keeps the graph's own outputs and lets a branch that is no part of the loss do what it likes", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [4])
    const [values, places] = g.op("TopK", [x, g.constant(int64([1], [2]))], {
      outputs: [
        { type: "float32", dims: [2] },
        { type: "int64", dims: ["k"] },
      ],
    })
    const graph = g.build({ loss: sumSquares(g, x), values: values!, places: places! })
    const differentiated = differentiate(graph, { loss: "loss", wrt: ["x"] })
    assert.deepEqual(
      differentiated.outputs.map((output) => output.name),
      ["loss", "values", "places", "grad.x"],
    )
    const outputs = await run(differentiated, { x: float32([4], [3, 1, 4, 2]) })
    assert.deepEqual(toNumbers(outputs["places"]!), [2, 0])
    assert.deepEqual(toNumbers(outputs["grad.x"]!), [6, 2, 8, 4])
  })

  it("lets outputs bear the names that a builder thinks up", async () => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [2])
    const outputs = { Mul_1: g.reduceSum(g.mul(x, x), [], false), Neg_0: g.exp(x) }
    const graph = differentiate(g.build(outputs), { loss: "Mul_1", wrt: ["x"], gradientName: () => "Add_2" })
    const result = await run(graph, { x: float32([2], [1, 0]) })
    assert.deepEqual(
      Object.entries(result).map(([name, value]) => [name, toNumbers(value).map((number) => Math.round(number))]),
      [
        ["Mul_1", [1]],
        ["Neg_0", [3, 1]],
        ["Add_2", [2, 0]],
      ],
    )
  })
})
