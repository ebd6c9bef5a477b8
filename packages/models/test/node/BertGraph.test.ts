import assert from "node:assert/strict"
import { test } from "node:test"
import { differentiate } from "@tandem/autodiff"
import { elementCount, type Graph, GraphBuilder, int64, staticDims, type Tensor, tensor, toNumbers } from "@tandem/onnx"
import { InvalidEncoder } from "../../src/Errors.ts"
import { bertConfig, bertParameters, pickBertWeights } from "../../src/encoder/Bert.ts"
import { bertAnyShapeGraph, bertGraph, bertInferenceGraph, bertInputs } from "../../src/encoder/BertGraph.ts"
import type { DropoutMask, EncoderShape } from "../../src/encoder/Encoder.ts"
import { execute } from "../support/Embed.ts"
import { goldenJson, goldenTensors, largestDifference } from "../support/Golden.ts"

const load = (name: string) => {
  const config = bertConfig(goldenJson(`${name}/config.json`))
  const { parameters } = pickBertWeights(config, goldenTensors(`${name}/model.safetensors`))
  const reference = goldenTensors(`${name}/reference.safetensors`)
  const inputs = Object.fromEntries(bertInputs(config).map((input) => [input, reference.get(`in.${input}`)!]))
  return { config, parameters, inputs, out: reference.get("out")! }
}

const everyValueIsStatic = (graph: Graph): void => {
  for (const node of graph.nodes) {
    for (const name of node.outputs) {
      const value = graph.values.get(name)
      assert.ok(value?.type !== undefined && staticDims(value.dims) !== undefined, `${node.name}: ${name}`)
    }
  }
}

const masksFor = (graph: Graph, dropout: readonly DropoutMask[], keep: (index: number) => boolean) =>
  dropout.map(({ input }): [string, Tensor] => {
    const dims = staticDims(graph.inputs.find(({ name }) => name === input)?.dims)!
    return [
      input,
      tensor(
        "bool",
        dims,
        Uint8Array.from({ length: elementCount(dims) }, (_, i) => (keep(i) ? 1 : 0)),
      ),
    ]
  })

/** Hidden states `[…, 32]` with zeros where the mask has them. */
const maskedBy = ({ data }: Tensor, mask: readonly number[]): Float32Array =>
  Float32Array.from({ length: data.length }, (_, i) => (mask[Math.floor(i / 32)] === 1 ? Number(data[i]) : 0))

for (const name of ["bert-tiny", "distilbert-tiny"]) {
  test(`${name}: the static graph gives PyTorch's hidden states`, async () => {
    const { config, parameters, inputs, out } = load(name)
    const { graph, dropout } = bertGraph(config, { batch: 3, tokens: 10 })
    assert.deepEqual(dropout, [])
    assert.deepEqual(
      graph.inputs.map((input) => input.name),
      [...bertInputs(config), ...bertParameters(config).map((parameter) => parameter.name)],
    )
    everyValueIsStatic(graph)
    const { last_hidden_state } = await execute(graph, { ...inputs, ...Object.fromEntries(parameters) })
    assert.ok(largestDifference(last_hidden_state, out) < 2e-6)
  })

  test(`${name}: packed rows give the same hidden states at real tokens`, async () => {
    const { config, parameters, inputs, out } = load(name)
    const mask = toNumbers(inputs["attention_mask"]!)
    const real = mask.flatMap((value, place) => (value === 1 ? [place] : []))
    const padding = mask.flatMap((value, place) => (value === 0 ? [place] : []))
    assert.ok(padding.length > 3)
    for (const extra of [0, 3, padding.length]) {
      const rows = [...real, ...padding.slice(0, extra)]
      const { graph } = bertGraph(config, { batch: 3, tokens: 10, packedRows: rows.length })
      everyValueIsStatic(graph)
      const packed = { packed_rows: int64([rows.length], rows) }
      const { last_hidden_state } = await execute(graph, { ...inputs, ...packed, ...Object.fromEntries(parameters) })
      const onlyReal = (value: Tensor): Tensor => {
        const rowsOf = real.flatMap((place) => Array.from(value.data.slice(place * 32, place * 32 + 32), Number))
        return tensor("float32", [real.length, 32], Float32Array.from(rowsOf))
      }
      assert.ok(largestDifference(onlyReal(last_hidden_state!), onlyReal(out)) < 2e-6)
    }
    assert.throws(() => bertGraph(config, { batch: 3, tokens: 10, packedRows: 31 }), InvalidEncoder)
  })

  test(`${name}: attention in groups of similar length changes no hidden state of a real token, and no gradient`, async () => {
    const { config, parameters, inputs, out } = load(name)
    const mask = toNumbers(inputs["attention_mask"]!)
    const real = mask.flatMap((value, place) => (value === 1 ? [place] : []))
    const longest = (from: number, to: number): number =>
      Math.max(...real.filter((place) => place >= from * 10 && place < to * 10).map((place) => (place % 10) + 1))
    const groups = [
      { rows: 1, tokens: longest(0, 1) },
      { rows: 2, tokens: longest(1, 3) },
    ]
    assert.ok(groups.some(({ tokens }) => tokens < 10))
    const wrt = [...parameters.keys()].filter((parameter) => !parameter.includes("pooler"))
    const gradients = async (shape: EncoderShape) => {
      const { graph } = bertGraph(config, shape)
      everyValueIsStatic(graph)
      const g = new GraphBuilder()
      const { inputs: given, outputs } = g.callWithInputs(graph)
      const hidden = outputs["last_hidden_state"]!
      const isReal = g.cast(g.reshape(given["attention_mask"]!, [30, 1]), "float32")
      const seen = g.mul(g.reshape(hidden, [30, 32]), isReal)
      const loss = g.reduceMean(g.mul(seen, g.exp(seen)), [0, 1], false)
      const packed = shape.packedRows === undefined ? {} : { packed_rows: int64([real.length], real) }
      const feeds = { ...inputs, ...Object.fromEntries(parameters), ...packed }
      return execute(differentiate(g.build({ loss, seen }), { loss: "loss", wrt }), feeds)
    }
    const plain = await gradients({ batch: 3, tokens: 10 })
    assert.ok(largestDifference(plain["seen"], tensor("float32", [30, 32], maskedBy(out, mask))) < 2e-6)
    for (const shape of [{ groups }, { groups, packedRows: real.length }]) {
      const found = await gradients({ batch: 3, tokens: 10, ...shape })
      for (const [output, value] of Object.entries(plain))
        assert.ok(largestDifference(found[output], value) < 2e-6, output)
    }
    for (const wrong of [[{ rows: 2, tokens: 10 }], [{ rows: 3, tokens: 11 }], [{ rows: 0, tokens: 1 }, ...groups]]) {
      assert.throws(() => bertGraph(config, { batch: 3, tokens: 10, groups: wrong }), InvalidEncoder)
    }
  })

  test(`${name}: the inference graph gives PyTorch's hidden states at any shape`, async () => {
    const { config, parameters, inputs, out } = load(name)
    const graph = bertInferenceGraph(config, parameters)
    assert.deepEqual(graph.outputs[0]?.dims, ["batch", "sequence", 32])
    const { last_hidden_state } = await execute(graph, inputs)
    assert.ok(largestDifference(last_hidden_state, out) < 2e-6)
    const one = (values: Tensor) => ({ ...values, dims: [1, 4], data: values.data.slice(20, 24) })
    const row = Object.fromEntries(Object.entries(inputs).map(([key, value]) => [key, one(value)]))
    const expected = { type: out.type, dims: [1, 4, 32], data: out.data.slice(20 * 32, 24 * 32) }
    assert.ok(largestDifference((await execute(graph, row))["last_hidden_state"], expected) < 2e-6)
  })

  test(`${name}: the graph of any shape takes its weights as inputs, under Hugging Face's names`, async () => {
    const { config, parameters, inputs, out } = load(name)
    const graph = bertAnyShapeGraph(config)
    const names = [...bertInputs(config), ...bertParameters(config).map((parameter) => parameter.name)]
    assert.deepEqual(
      graph.inputs.map((input) => input.name),
      names,
    )
    const { last_hidden_state } = await execute(graph, { ...inputs, ...Object.fromEntries(parameters) })
    assert.ok(largestDifference(last_hidden_state, out) < 2e-6)
  })

  test(`${name}: dropout masks are inputs, and masks of ones scale by the kept share`, async () => {
    const { config, parameters, inputs, out } = load(name)
    const rates = { hidden: 0.5, attention: 0.25 }
    const { graph, dropout } = bertGraph(config, { batch: 3, tokens: 10, dropout: rates })
    everyValueIsStatic(graph)
    assert.equal(dropout.length, 1 + config.layers * (name === "bert-tiny" ? 3 : 2))
    assert.deepEqual(dropout.slice(0, 2), [
      { input: "dropout.0", rate: 0.5 },
      { input: "dropout.1", rate: 0.25 },
    ])
    const feeds = { ...inputs, ...Object.fromEntries(parameters) }
    const run = async (keep: (index: number) => boolean) =>
      (await execute(graph, { ...feeds, ...Object.fromEntries(masksFor(graph, dropout, keep)) }))["last_hidden_state"]!
    const kept = await run(() => true)
    const dropped = await run((index) => index % 3 === 0)
    assert.ok(largestDifference(kept, out) > 1e-2)
    assert.ok(largestDifference(kept, dropped) > 1e-2)
    // With no rate the same sites vanish, so a rate close to 0 must come close to the plain graph.
    const small = bertGraph(config, { batch: 3, tokens: 10, dropout: { hidden: 1e-7, attention: 1e-7 } })
    const masks = Object.fromEntries(masksFor(small.graph, small.dropout, () => true))
    const near = (await execute(small.graph, { ...feeds, ...masks }))["last_hidden_state"]
    assert.ok(largestDifference(near, out) < 5e-6)
  })
}

test("dropout by masks equals dropping and scaling each site by hand", async () => {
  const { config, parameters, inputs } = load("bert-tiny")
  const rate = 0.4
  const { graph, dropout } = bertGraph(config, { batch: 3, tokens: 10, dropout: { hidden: rate, attention: 0 } })
  // Only the last site is masked: the final block's feed-forward output, which the last norm sees beside the residual.
  const last = dropout.at(-1)!
  assert.equal(dropout.length, 5)
  const masks = Object.fromEntries(masksFor(graph, dropout, () => true))
  const off = { ...masks, ...Object.fromEntries(masksFor(graph, [last], () => false)) }
  const feeds = { ...inputs, ...Object.fromEntries(parameters) }
  const all = (await execute(graph, { ...feeds, ...off }))["last_hidden_state"]!
  // Without the feed-forward output its weights cannot matter.
  const silent = new Map(parameters)
  for (const end of ["weight", "bias"]) {
    const name = `encoder.layer.1.output.dense.${end}`
    const value = silent.get(name)!
    silent.set(name, tensor("float32", value.dims, new Float32Array(value.data.length)))
  }
  const zero = (await execute(graph, { ...inputs, ...Object.fromEntries(silent), ...masks }))["last_hidden_state"]
  assert.equal(largestDifference(all, zero), 0)
})

test("names of task heads, DPR and old conversions are understood, and DPR's projection is built", async () => {
  const { config, parameters, inputs, out } = load("bert-tiny")
  const old = new Map<string, Tensor>([
    ["cls.predictions.bias", tensor("float32", [1], new Float32Array(1))],
    ...[...parameters].map(([name, value]): [string, Tensor] => [
      `bert.${name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")}`,
      value,
    ]),
  ])
  const picked = pickBertWeights(config, old)
  assert.equal(picked.prefix, "bert.")
  assert.deepEqual([...picked.unused.keys()], ["cls.predictions.bias"])
  assert.deepEqual(picked.parameters, parameters)

  const dprConfig = bertConfig({ ...goldenJson("bert-tiny/config.json"), model_type: "dpr", projection_dim: 2 })
  const prefix = "ctx_encoder.bert_model."
  const weight = tensor("float32", [2, 32], new Float32Array(64))
  for (const [row, column] of [0, 7].entries())
    if (weight.data instanceof Float32Array) weight.data[row * 32 + column] = 2
  const dpr = new Map<string, Tensor>([
    ...[...parameters].map(([name, value]): [string, Tensor] => [prefix + name, value]),
    ["ctx_encoder.encode_proj.weight", weight],
    ["ctx_encoder.encode_proj.bias", tensor("float32", [2], Float32Array.of(1, 0))],
  ])
  const found = pickBertWeights(dprConfig, dpr)
  assert.equal(found.prefix, prefix)
  const { graph } = bertGraph(dprConfig, { batch: 3, tokens: 10 })
  const result = (await execute(graph, { ...inputs, ...Object.fromEntries(found.parameters) }))["last_hidden_state"]!
  const expected = Float32Array.from(
    { length: 60 },
    (_, i) => 2 * Number(out.data[(i >> 1) * 32 + (i % 2) * 7]) + 1 - (i % 2),
  )
  assert.ok(largestDifference(result, tensor("float32", [3, 10, 2], expected)) < 5e-6)
})
