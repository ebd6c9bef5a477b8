import assert from "node:assert/strict"
import { after, describe, it } from "node:test"
import { bool, float32, type Graph, GraphBuilder, ints, type Tensor, type Value } from "@tandem/onnx"
import { differentiate, gradientName } from "../../src/Differentiate.ts"
import { spread } from "../cases/Values.ts"
import { cpu } from "../support/Run.ts"

const { run, close } = cpu()
after(close)

/** A residual block with attention among rows, a norm and a wide layer that ends in what its own gradient reads. */
const block = (g: GraphBuilder, x: Value, bias: Value, layer: number): Value => {
  const weight = (name: string, dims: readonly number[]): Value => g.input(`${layer}.${name}`, "float32", dims)
  const joined = g.concat([weight("q", [4, 4]), g.mul(weight("k", [4, 4]), g.scalar(0.5))], 0)
  const [q, k] = g.split(g.gemm(x, joined, { transB: true }), [4, 4], 1)
  const attention = g.softmax(g.add(g.matmul(q!, g.transpose(k!, [1, 0])), bias))
  const mixed = g.add(g.matmul(attention, x), x)
  const normal = g.layerNormalization(mixed, weight("scale", [4]), weight("shift", [4]), 1e-5)
  return g.add(g.tanh(g.matmul(g.gelu(g.matmul(normal, weight("up", [4, 8]))), weight("down", [8, 4]))), normal)
}

const layers = 4
const model = (between: (g: GraphBuilder, x: Value) => Value = (_, x) => x) => {
  const g = new GraphBuilder()
  let x: Value = g.input("x", "float32", [6, 4])
  const bias = g.tanh(g.input("bias", "float32", [6, 6]))
  const ends: Value[] = []
  for (let layer = 0; layer < layers; layer++) {
    x = between(
      g,
      g.scope(`layer.${layer}`, () => block(g, x, bias, layer)),
    )
    ends.push(x)
  }
  const graph = g.build({ loss: g.reduceSum(g.mul(x, x), [], false) })
  const feeds: Record<string, Tensor> = {}
  for (const [index, { name, dims }] of graph.inputs.entries()) {
    feeds[name] = spread((dims ?? []).map(Number), -0.9, 0.8, index + 3)
  }
  return { graph, feeds, wrt: graph.inputs.map(({ name }) => name), ends: ends.map(({ name }) => name) }
}

/** Numbers that an operator draws, in the shape of `model`'s rows. */
const drawn = (g: GraphBuilder, op: string, inputs: readonly Value[]): Value =>
  g.op(op, inputs, {
    attributes: inputs.length === 0 ? { shape: ints([6, 4]) } : {},
    outputs: [{ type: "float32", dims: [6, 4] }],
  })[0]!

const count = (graph: Graph, op: string): number => graph.nodes.filter((node) => node.op === op).length

describe("recomputation", () => {
  it("gives the same gradients bit for bit, whether blocks are named or chosen", async () => {
    const { graph, feeds, wrt, ends } = model()
    const plain = await run(differentiate(graph, { loss: "loss", wrt }), feeds)
    for (const recompute of ["auto", ends.slice(0, -1), [ends[1]!]] as const) {
      const saving = differentiate(graph, { loss: "loss", wrt, recompute })
      assert.ok(count(saving, "Softmax") > layers, String(recompute))
      const found = await run(saving, feeds)
      for (const name of ["loss", ...wrt.map(gradientName)]) assert.deepEqual(found[name], plain[name], name)
    }
  })

  it("repeats everything within a block once, but neither the last block nor what weights alone decide", () => {
    const { graph, wrt, ends } = model()
    const saving = differentiate(graph, { loss: "loss", wrt, recompute: ends.slice(0, -1) })
    assert.equal(count(saving, "Softmax"), 2 * layers - 1)
    assert.equal(count(saving, "LayerNormalization"), 2 * layers - 1)
    const joins = saving.nodes.filter(({ op, name }) => op === "Concat" && name.includes("layer.0/"))
    assert.equal(joins.filter(({ name }) => !name.startsWith("gradient")).length, 1)
  })

  it("keeps what a random operator gave", async () => {
    const drop = (g: GraphBuilder, x: Value): Value =>
      g.op("Dropout", [x, g.scalar(0.5), g.constant(bool([], [true]))], { outputs: 2 })[0]!
    const { graph, feeds, wrt, ends } = model(drop)
    const saving = differentiate(graph, { loss: "loss", wrt, recompute: ends.slice(0, -1) })
    assert.equal(count(saving, "Dropout"), layers)
    const found = await run(saving, feeds)
    assert.ok(Number.isFinite(Number(found["loss"]?.data[0])))
  })

  const draws: Readonly<Record<string, (g: GraphBuilder, like: Value) => Value>> = {
    RandomNormal: (g) => drawn(g, "RandomNormal", []),
    RandomUniform: (g) => drawn(g, "RandomUniform", []),
    RandomNormalLike: (g, like) => drawn(g, "RandomNormalLike", [like]),
    RandomUniformLike: (g, like) => drawn(g, "RandomUniformLike", [like]),
    Bernoulli: (g) => drawn(g, "Bernoulli", [g.constant(float32([6, 4], new Float32Array(24).fill(0.5)))]),
    Dropout: (g, like) =>
      g.op("Dropout", [g.div(like, like), g.scalar(0.5), g.constant(bool([], [true]))], { outputs: 2 })[0]!,
  }
  for (const [op, draw] of Object.entries(draws)) {
    it(`gives the gradient at the noise that ${op} drew, not at new noise`, async () => {
      const g = new GraphBuilder()
      const x = g.exp(g.input("x", "float32", [6, 4]))
      const tanh = g.tanh(x)
      const y = g.mul(tanh, draw(g, x))
      const doubled = g.mul(y, g.scalar(2))
      const graph = g.build({ loss: g.reduceSum(g.mul(doubled, doubled), [], false), y })
      const saving = differentiate(graph, { loss: "loss", wrt: ["x"], recompute: [x.name, "y"] })
      assert.deepEqual([count(saving, "Tanh"), count(saving, op)], [2, 1])
      const values = spread([6, 4], 0.1, 0.8, 3)
      const found = await run(saving, { x: values })
      const [made, gradient] = ["y", gradientName("x")].map((name) => Array.from(found[name]!.data, Number))
      for (const [index, value] of Array.from(values.data, Number).entries()) {
        const tanh = Math.tanh(Math.exp(value))
        const noise = made![index]! / tanh
        const expected = 8 * made![index]! * noise * (1 - tanh * tanh) * Math.exp(value)
        assert.ok(Math.abs(gradient![index]! - expected) < 1e-4 * (1 + Math.abs(expected)), `at ${index}`)
      }
    })
  }

  it("leaves out what no gradient reads", () => {
    const { graph, ends } = model()
    const saving = differentiate(graph, { loss: "loss", wrt: ["3.down"], recompute: ends.slice(0, -1) })
    assert.equal(count(saving, "Softmax"), layers)
  })

  it("does not wait for gradients that come by rows", async () => {
    const g = new GraphBuilder()
    const table = g.input("table", "float32", [9, 4])
    const ids = g.constant({ type: "int64", dims: [6], data: BigInt64Array.of(1n, 3n, 3n, 0n, 8n, 1n) })
    const x = g.tanh(g.gather(table, ids))
    const y = g.tanh(g.add(x, g.gather(table, ids)))
    const graph = g.build({ loss: g.reduceSum(g.mul(y, y), [], false) })
    const names = graph.nodes.filter(({ op }) => op === "Tanh").map(({ outputs }) => outputs[0]!)
    const options = { loss: "loss", wrt: ["table"], byRows: ["table"] }
    const feeds = { table: spread([9, 4], -0.7, 0.9, 2) }
    const plain = await run(differentiate(graph, options), feeds)
    assert.deepEqual(await run(differentiate(graph, { ...options, recompute: names }), feeds), plain)
  })

  it("refuses to cut after what is not there", () => {
    const { graph, wrt } = model()
    assert.throws(() => differentiate(graph, { loss: "loss", wrt, recompute: ["nowhere"] }), {
      _tag: "NotDifferentiable",
      tensor: "nowhere",
    })
  })

  it("gives a loss that is not finite where the model does, and no other failure", async () => {
    const { graph, feeds, wrt } = model()
    const saving = differentiate(graph, { loss: "loss", wrt, recompute: "auto" })
    const found = await run(saving, { ...feeds, x: float32([6, 4], new Float32Array(24).fill(Number.NaN)) })
    assert.ok(Number.isNaN(Number(found["loss"]?.data[0])))
  })
})
