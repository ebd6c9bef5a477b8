import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { float32, type Graph, GraphBuilder, toNumbers } from "@tandem/onnx"
import { differentiate } from "../src/Differentiate.ts"
import { addLora, type LoraSettings } from "../src/Lora.ts"
import { initialAdapters } from "../src/LoraValues.ts"

const settings = { rank: 2, alpha: 4, targets: "all-linear" }

/** Two layers of two products each, an embedding that the head shares, and names as exporters write them. */
const model = (): Graph => {
  const g = new GraphBuilder()
  const weight = (name: string, dims: readonly number[]) =>
    g.initializer(name, float32(dims, new Float32Array(dims[0]! * dims[1]!)))
  const table = weight("embed.weight", [10, 4])
  let x = g.gather(table, g.input("ids", "int64", [3]))
  for (const layer of [0, 1]) {
    x = g.matmul(x, weight(`layers.${layer}.up.weight`, [4, 6]))
    x = g.op("MatMul", [x, weight(`onnx::MatMul_${layer}`, [6, 4])], { name: `/layers.${layer}/down/MatMul` })[0]!
  }
  const logits = g.matmul(x, g.transpose(table, [1, 0]))
  return g.build({ loss: g.reduceSum(logits, [], false), logits })
}

const modules = (targets: Partial<LoraSettings>): readonly string[] =>
  addLora(model(), { ...settings, ...targets }).adapters.map(({ module }) => module)

describe("which weights take an adapter", () => {
  it("is said by ends of names, which are whole words", () => {
    assert.deepEqual(modules({ targets: ["up"] }), ["layers.0.up", "layers.1.up"])
    assert.deepEqual(modules({ targets: ["0.up", "layers.1.down"] }), ["layers.0.up", "layers.1.down"])
    assert.throws(() => modules({ targets: ["p"] }), { _tag: "InvalidLora", found: /layers\.0\.up, layers\.0\.down/ })
  })

  it("is said by a regular expression for the whole name", () => {
    assert.deepEqual(modules({ targets: String.raw`.*\.0\.(up|down)` }), ["layers.0.up", "layers.0.down"])
    assert.throws(() => modules({ targets: "up" }), { _tag: "InvalidLora" })
    assert.throws(() => modules({ targets: "(" }), { _tag: "InvalidLora", field: "targets" })
  })

  it("is every linear layer, and no embedding", () => {
    assert.deepEqual(modules({}), ["layers.0.up", "layers.0.down", "layers.1.up", "layers.1.down"])
    assert.deepEqual(modules({ exclude: ["down"] }), ["layers.0.up", "layers.1.up"])
  })

  it("is what the caller knows of a weight without a telling name", () => {
    const named = new Map([["onnx::MatMul_1", "blocks.1.mlp.fc"]])
    assert.deepEqual(modules({ targets: ["fc"], modules: named }), ["blocks.1.mlp.fc"])
    const twice = new Map([...named, ["onnx::MatMul_0", "blocks.1.mlp.fc"]])
    assert.throws(() => modules({ targets: ["fc"], modules: twice }), {
      _tag: "InvalidLora",
      message: /both look like/,
    })
  })

  it("cannot be an embedding or an output layer tied to one", () => {
    assert.throws(() => modules({ targets: ["embed", "up"] }), { _tag: "InvalidLora", tensor: "embed.weight" })
  })
})

describe("adapters", () => {
  it("refuse impossible settings", () => {
    assert.throws(() => modules({ rank: 0 }), { _tag: "InvalidLora", field: "rank" })
    assert.throws(() => modules({ rank: 1.5 }), { _tag: "InvalidLora", field: "rank" })
    assert.throws(() => modules({ alpha: Number.NaN }), { _tag: "InvalidLora", field: "alpha" })
    assert.throws(() => modules({ dropout: 1 }), { _tag: "InvalidLora", field: "dropout" })
  })

  it("start as PEFT's do, the same for a module whatever else is targeted", () => {
    const { adapters } = addLora(model(), settings)
    const values = initialAdapters(adapters, 3)
    const alone = initialAdapters(adapters.slice(1, 2), 3)
    assert.deepEqual(values.get("layers.0.down.lora_A.weight"), alone.get("layers.0.down.lora_A.weight"))
    assert.ok(toNumbers(values.get("layers.0.up.lora_B.weight")!).every((value) => value === 0))
    const wide = initialAdapters([{ ...adapters[0]!, rank: 64, inputs: 100 }], 3)
    const a = toNumbers(wide.get("layers.0.up.lora_A.weight")!)
    assert.ok(Math.max(...a) <= 0.1 && Math.max(...a) > 0.0995 && Math.min(...a) < -0.0995)
    const variance = a.reduce((sum, value) => sum + value * value, 0) / a.length
    assert.ok(Math.abs(variance - 0.01 / 3) < 1e-4)
  })

  it("are all that gets a gradient: none of a frozen weight is computed", () => {
    const { graph, adapters } = addLora(model(), { ...settings, targets: ["1.up"] })
    const wrt = adapters.flatMap(({ a, b }) => [a, b])
    const step = differentiate(graph, { loss: "loss", wrt })
    const products = step.nodes.filter(({ op }) => op === "MatMul" || op === "Gemm")
    const shapes = products.map(({ outputs }) => `${step.values.get(outputs[0]!)?.dims}`)
    assert.ok(!shapes.includes("4,6") && !shapes.includes("6,4"), shapes.join(" "))
  })
})
