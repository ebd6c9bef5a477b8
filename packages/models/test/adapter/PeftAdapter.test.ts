import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { addLora } from "@tandem/autodiff"
import { float32, type Graph, GraphBuilder, type Tensor } from "@tandem/onnx"
import { attachPeftAdapter, modulesByValue, type PeftAdapter, readPeftAdapter } from "../../src/adapter/PeftAdapter.ts"
import { peftConfigJson, readPeftConfig } from "../../src/adapter/PeftConfig.ts"

const plain = { peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["q"] }

describe("an adapter's config", () => {
  it("is read back as it was written", () => {
    const config = readPeftConfig({ ...plain, lora_dropout: 0.1, use_rslora: true, task_type: "CAUSAL_LM" })
    assert.deepEqual(config, {
      rank: 2,
      alpha: 4,
      dropout: 0.1,
      useRslora: true,
      targetModules: ["q"],
      fanInFanOut: false,
      taskType: "CAUSAL_LM",
      baseModel: undefined,
    })
    assert.deepEqual(readPeftConfig(peftConfigJson(config)), config)
  })

  it("is refused by the field that asks for something else than plain LoRA", () => {
    const refused: Readonly<Record<string, unknown>> = {
      peft_type: "IA3",
      bias: "all",
      use_dora: true,
      lora_bias: true,
      modules_to_save: ["classifier"],
      rank_pattern: { q: 8 },
      alpha_pattern: { q: 8 },
      layer_replication: [[0, 4]],
      trainable_token_indices: [1],
      init_lora_weights: "pissa",
    }
    for (const [field, value] of Object.entries(refused)) {
      assert.throws(() => readPeftConfig({ ...plain, [field]: value }), { _tag: "InvalidAdapter", field }, field)
    }
    assert.ok(readPeftConfig({ ...plain, init_lora_weights: "gaussian", rank_pattern: {}, use_dora: false }))
  })

  it("is refused by the field whose value is missing or impossible", () => {
    const wrong: Readonly<Record<string, unknown>> = {
      r: 0,
      lora_alpha: "8",
      lora_dropout: 1,
      use_rslora: 1,
      target_modules: null,
    }
    for (const [field, value] of Object.entries(wrong)) {
      assert.throws(() => readPeftConfig({ ...plain, [field]: value }), { _tag: "InvalidAdapter", field }, field)
    }
    assert.throws(() => readPeftConfig([]), { _tag: "InvalidAdapter" })
  })
})

const a = float32([2, 3], [1, 2, 3, 4, 5, 6])
const b = float32([4, 2], [1, 2, 3, 4, 5, 6, 7, 8])
const halves = (module: string): readonly (readonly [string, Tensor])[] => [
  [`base_model.model.${module}.lora_A.weight`, a],
  [`base_model.model.${module}.lora_B.weight`, b],
]

describe("an adapter's tensors", () => {
  const read = (tensors: readonly (readonly [string, Tensor])[]): PeftAdapter =>
    readPeftAdapter(readPeftConfig(plain), new Map(tensors))

  it("are two halves for each module", () => {
    assert.deepEqual([...read(halves("layers.0.q")).modules], [["layers.0.q", { a, b }]])
  })

  it("are refused where a half is missing, of another rank, or of another kind", () => {
    assert.throws(() => read([]), { _tag: "InvalidAdapter" })
    assert.throws(() => read(halves("q").slice(0, 1)), { _tag: "InvalidAdapter", tensor: "q" })
    assert.throws(() => read([["base_model.model.q.lora_A.weight", b]]), { _tag: "InvalidAdapter", found: "[4,2]" })
    assert.throws(() => read([["base_model.model.q.lora_embedding_A", a]]), { _tag: "InvalidAdapter" })
    assert.throws(() => read([...halves("q"), ["base_model.model.head.weight", a]]), { _tag: "InvalidAdapter" })
  })
})

const model = (name: string): Graph => {
  const g = new GraphBuilder()
  return g.build({
    y: g.matmul(g.input("x", "float32", [5, 3]), g.initializer(name, float32([3, 4], [...Array(12).keys()]))),
  })
}

describe("putting an adapter onto a graph", () => {
  const adapter = (module: string) => readPeftAdapter(readPeftConfig(plain), new Map(halves(module)))

  it("goes by the modules' names, whatever a head has put before them", () => {
    for (const [ours, theirs] of [
      ["layers.0.q", "layers.0.q"],
      ["layers.0.q", "bert.layers.0.q"],
      ["bert.layers.0.q", "layers.0.q"],
    ] as const) {
      const graph = model(`${ours}.weight`)
      const { settings, values } = attachPeftAdapter(adapter(theirs), graph)
      assert.deepEqual([...values.keys()], [`${ours}.lora_A.weight`, `${ours}.lora_B.weight`])
      const lora = addLora(graph, settings)
      assert.deepEqual(
        lora.adapters.map(({ module, outputFirst }) => [module, outputFirst]),
        [[ours, false]],
      )
    }
  })

  it("says what the model lacks", () => {
    assert.throws(() => attachPeftAdapter(adapter("layers.1.q"), model("layers.0.q.weight")), {
      _tag: "InvalidAdapter",
      expected: "layers.1.q",
      found: "layers.0.q",
      hint: /safetensors/,
    })
  })

  it("finds weights that an exporter renamed and transposed by their values", () => {
    const graph = model("onnx::MatMul_12")
    const turned = float32(
      [4, 3],
      Array.from({ length: 12 }, (_, index) => (index % 3) * 4 + Math.floor(index / 3)),
    )
    const modules = modulesByValue(graph.initializers, new Map([["layers.0.q.weight", turned]]))
    assert.deepEqual(modules, new Map([["onnx::MatMul_12", "layers.0.q"]]))
    const { settings } = attachPeftAdapter(adapter("layers.0.q"), graph, modules)
    assert.deepEqual(
      addLora(graph, settings).adapters.map(({ weight }) => weight),
      ["onnx::MatMul_12"],
    )
  })
})
