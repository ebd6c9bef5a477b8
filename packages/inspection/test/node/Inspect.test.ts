import assert from "node:assert/strict"
import { test } from "node:test"
import { builtinRules } from "@tandem/autodiff"
import { float32, type Graph, GraphBuilder, int64, type Node, readModel, type Tensor } from "@tandem/onnx"
import { type InspectOptions, inspectModel } from "../../src/Inspect.ts"
import { goldenBytes, goldenJson } from "../support/Golden.ts"
import { withRuntime } from "../support/WithRuntime.ts"

const inspect = (graph: Graph, options: InspectOptions = {}) => withRuntime(inspectModel(graph, options))

for (const [path, opset] of [
  ["bert-tiny/dynamo.onnx", 20],
  ["bert-tiny/script.onnx", 17],
  ["distilbert-tiny/script-opset14.onnx", 14],
] as const) {
  test(`${path} trains as a whole`, async () => {
    const report = await inspect(readModel(goldenBytes(path)), { batch: 4, length: 16 })
    assert.equal(report.architecture, "encoder")
    assert.equal(report.opset, opset)
    assert.deepEqual(report.gaps, [])
    // As many weights as the safetensors file holds.
    assert.equal(report.parameters, path.startsWith("bert") ? 23_104 : 22_976 + 64)
    assert.equal(report.trainable, report.parameters)
    assert.equal(report.operators["MatMul"], 16)
    assert.equal(
      Object.values(report.operators).reduce((sum, count) => sum + count),
      readModel(goldenBytes(path)).nodes.length,
    )
    // 2 layers of 4 · d² + 2 · d · f products and 2 · tokens · d of attention, two operations each, for 64 tokens.
    const forward = 2 * 2 * (4 * 16) * (4 * 32 * 32 + 2 * 32 * 64 + 2 * 16 * 32)
    assert.equal(report.step?.flops.forward, forward)
    assert.ok(report.step.flops.step > 2.9 * forward && report.step.flops.step < 6 * forward)
    const { weights, gradients, optimizer, activations, total } = report.step.memory
    assert.equal(gradients, 4 * report.trainable)
    assert.equal(optimizer, 2 * gradients)
    assert.equal(total, weights + gradients + optimizer + activations)
    assert.ok(activations > 4 * 64 * 32)
  })
}

test("the architecture is that of the config where there is one", async () => {
  const config = goldenJson("bert-tiny/config.json")
  const report = await inspect(readModel(goldenBytes("bert-tiny/dynamo.onnx")), { config })
  assert.equal(report.architecture, "bert")
  assert.equal(report.step?.length, 64)
})

test("more tokens than the model has positions are halved until they fit", async () => {
  const report = await inspect(readModel(goldenBytes("distilbert-tiny/dynamo.onnx")), { length: 512 })
  assert.equal(report.step?.length, 64)
})

const weights = (count: number): Tensor =>
  float32(
    [count, count],
    Float32Array.from({ length: count ** 2 }, (_, i) => Math.sin(i)),
  )

/** y = op(x · w1) · w2 */
const model = (middle: Pick<Node, "op" | "domain" | "attributes">, opset = 20): Graph => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", ["batch", 3])
  const hidden = g.matmul(x, g.initializer("w1", weights(3)))
  const [acted] = g.op(middle.op, [hidden], {
    domain: middle.domain,
    attributes: middle.attributes,
    name: "middle",
    outputs: [{ type: "float32", dims: ["batch", 3] }],
  })
  const graph = g.build({ y: g.matmul(acted!, g.initializer("w2", weights(3))) })
  return { ...graph, opsets: new Map(graph.opsets).set("", opset) }
}

const trains = (report: Awaited<ReturnType<typeof inspect>>) =>
  Object.fromEntries(report.weights.map(({ name, trains: can }) => [name, can]))

test("an operator without a rule is a gap, and only weights behind it do not train", async () => {
  const { Tanh: _tanh, ...rules } = builtinRules
  const report = await inspect(model({ op: "Tanh", domain: "", attributes: {} }), { rules })
  assert.deepEqual(
    report.gaps.map(({ node, op, reason }) => ({ node, op, reason })),
    [{ node: "middle", op: "Tanh", reason: "no gradient rule for Tanh (opset 20)" }],
  )
  assert.deepEqual(trains(report), { w1: false, w2: true })
  assert.deepEqual([report.parameters, report.trainable], [18, 9])
  assert.match(report.weights[0]?.reason ?? "", /behind Tanh \(middle\)/)
})

test("an unknown domain and an operator set that nobody reviewed are gaps, not failures", async () => {
  const foreign = await inspect(model({ op: "Fold", domain: "org.example", attributes: {} }))
  assert.deepEqual(foreign.gaps[0], {
    node: "middle",
    op: "org.example.Fold",
    reason: "the operator domain org.example is unknown",
  })
  assert.equal(foreign.gaps.length, 1)
  assert.deepEqual(trains(foreign), { w1: false, w2: true })
  const future = await inspect(model({ op: "Tanh", domain: "", attributes: {} }, 99))
  assert.deepEqual([future.opset, future.gaps[0]?.node], [99, ""])
  assert.match(future.gaps[0]?.reason ?? "", /operator set 99/)
  assert.equal(future.trainable, 0)
})

test("an attribute that no rule knows is a gap with its node", async () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [2, 3])
  const w = g.initializer("w", weights(3))
  const at = g.constant(int64([1, 1], [0]))
  const [scattered] = g.op("ScatterND", [g.matmul(x, w), at, g.constant(float32([1, 3], [1, 2, 3]))], {
    attributes: { reduction: { kind: "string", value: "max" } },
    name: "scatter",
  })
  const report = await inspect(g.build({ y: scattered! }))
  assert.deepEqual([report.gaps[0]?.node, report.gaps[0]?.op, report.trainable], ["scatter", "ScatterND", 0])
  assert.match(report.gaps[0]?.reason ?? "", /max/)
})

test("unused, quantised and 16-bit weights do not train, and each says why", async () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [2, 4])
  const packed = g.initializer("quantised", {
    type: "uint8",
    dims: [4, 4],
    data: Uint8Array.from({ length: 16 }, (_, i) => i * 9),
  })
  const scale = g.initializer("quantised.scale", float32([4], [0.1, 0.2, 0.3, 0.4]))
  const zero = g.initializer("quantised.zero", { type: "uint8", dims: [4], data: Uint8Array.of(100, 101, 102, 103) })
  const [dequantised] = g.op("DequantizeLinear", [packed, scale, zero], {
    attributes: { axis: { kind: "int", value: 1 } },
  })
  const half = g.initializer("half", { type: "float16", dims: [4, 4], data: new Uint16Array(16).fill(0x3c00) })
  const own = g.initializer("own", weights(4))
  const sum = g.add(g.matmul(g.matmul(x, own), dequantised!), g.matmul(x, g.cast(half, "float32")))
  const graph = g.build({ y: sum })
  const report = await inspect({ ...graph, initializers: new Map(graph.initializers).set("unused", weights(4)) })
  const reasons = Object.fromEntries(report.weights.map(({ name, reason }) => [name, reason]))
  assert.deepEqual(Object.keys(reasons).sort(), ["half", "own", "quantised", "unused"])
  assert.match(reasons["quantised"] ?? "", /^quantised: DequantizeLinear/)
  assert.match(reasons["half"] ?? "", /^stored as float16/)
  assert.match(reasons["unused"] ?? "", /no output depends on it/)
  assert.equal(reasons["own"], undefined)
  assert.deepEqual([report.parameters, report.trainable, report.gaps], [64, 16, []])
})

test("a branch that depends on data is a gap", async () => {
  const branch = (bias: number): Graph => {
    const g = new GraphBuilder()
    return g.build({ branched: g.constant(float32([2, 3], Array(6).fill(bias))) })
  }
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [2, 3])
  const product = g.matmul(x, g.initializer("w", weights(3)))
  const positive = g.greater(g.reduceSum(product, [], false), g.scalar(0))
  const [chosen] = g.op("Loop", [g.constant(int64([], [2])), positive, product], {
    attributes: { body: { kind: "graph", value: branch(1) } },
    name: "loop",
  })
  const report = await inspect(g.build({ y: chosen! }))
  assert.deepEqual([report.gaps[0]?.node, report.gaps[0]?.op], ["loop", "Loop"])
  assert.equal(report.trainable, 0)
})

test("a model without an output of floats cannot train", async () => {
  const graph = model({ op: "Tanh", domain: "", attributes: {} })
  const report = await inspect({ ...graph, outputs: [] })
  assert.deepEqual(report.gaps, [{ node: "", op: "", reason: "no output holds floats to make a loss of" }])
  assert.equal(report.trainable, 0)
})
