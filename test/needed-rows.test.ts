// Rows that a loss never reads are not computed: the same losses and gradients with fewer operations.
import assert from "node:assert/strict"
import { test } from "node:test"
import { differentiate } from "@tandem/autodiff"
import { bertConfig, bertGraph, type DropoutMask, decoderConfig, decoderGraph, pool } from "@tandem/models"
import { elementCount, type Graph, GraphBuilder, int64, type Tensor, tensor, type Value } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { differentiateProgram, type Program } from "@tandem/trainers"
import { Effect } from "effect"
import { flopsOf, nodeProducts } from "../bench/support/Products.ts"

const [batch, tokens, vocabulary] = [3, 6, 20]
const lengths = [6, 2, 4]

const encoder = {
  model_type: "bert",
  vocab_size: vocabulary,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 16,
  max_position_embeddings: tokens,
  type_vocab_size: 2,
  hidden_act: "gelu",
  layer_norm_eps: 1e-12,
  pad_token_id: 0,
}
const projected = { ...encoder, architectures: ["DPRQuestionEncoder"], model_type: "dpr", projection_dim: 5 }
const decoder = {
  model_type: "llama",
  vocab_size: vocabulary,
  hidden_size: 8,
  intermediate_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  num_key_value_heads: 1,
  head_dim: 4,
  hidden_act: "silu",
  max_position_embeddings: 16,
  rms_norm_eps: 1e-6,
  rope_theta: 10000,
  tie_word_embeddings: true,
}

type Select = (g: GraphBuilder, hidden: Value, mask: Value) => Value

/** Σ sin(x + 0.3) of what is selected: each element has a gradient of its own. */
const programOf = (model: Graph, output: string, dropout: readonly DropoutMask[], select: Select): Program => {
  const g = new GraphBuilder()
  const { inputs, outputs } = g.callWithInputs(model)
  const selected = select(g, outputs[output]!, inputs["attention_mask"]!)
  const loss = g.reduceSum(g.sin(g.add(selected, g.scalar(0.3))), [], false)
  return { graph: g.build({ loss }), loss: "loss", dropout }
}

const places = lengths.flatMap((length, row) => Array.from({ length }, (_, column) => row * tokens + column))

const feed = (name: string, type: Tensor["type"], dims: readonly number[], index: number): Tensor => {
  const count = elementCount(dims)
  const each = (value: (at: number) => number): number[] => Array.from({ length: count }, (_, at) => value(at))
  const real = (at: number): number => (at % tokens < lengths[Math.floor(at / tokens)]! ? 1 : 0)
  if (type === "bool") return tensor("bool", dims, Uint8Array.from(each((at) => ((at * 7 + index) % 4 === 0 ? 0 : 1))))
  if (type === "float32") {
    const values = each((at) => Math.sin(at * 1.7 + index * 0.9) / 2 + (/[Nn]orm/.test(name) ? 1 : 0))
    return tensor("float32", dims, Float32Array.from(values))
  }
  if (name === "packed_rows") return int64(dims, [...places, 8].slice(0, count))
  if (name === "attention_mask") return int64(dims, each(real))
  return int64(
    dims,
    each((at) => (name === "input_ids" ? 1 + ((at * 5) % (vocabulary - 1)) : real(at) * (at % 2))),
  )
}

const flops = (graph: Graph): number => nodeProducts(graph).reduce((sum, product) => sum + flopsOf(product), 0)

/** Compares a program as it is with what is trained of it, or of another one; the share of operations that are left. */
const compare = (program: Program, trained = program): Promise<number> => {
  const work = Effect.gen(function* () {
    const trainable = program.graph.inputs.flatMap(({ name, type }) => (type === "float32" ? [name] : []))
    const whole = differentiate(program.graph, { loss: "loss", wrt: trainable })
    const less = yield* differentiateProgram(trained, trainable)
    const feeds = Object.fromEntries(
      program.graph.inputs.map(({ name, type = "float32", dims = [] }, index) => [
        name,
        feed(name, type, dims.map(Number), index),
      ]),
    )
    const { compile } = yield* Runtime
    const [expected, found] = [yield* (yield* compile(whole)).run(feeds), yield* (yield* compile(less)).run(feeds)]
    assert.deepEqual(Object.keys(found), Object.keys(expected))
    for (const [name, { data, dims }] of Object.entries(expected)) {
      assert.deepEqual(found[name]?.dims, dims)
      const largest = Math.max(...Array.from({ length: data.length }, (_, at) => Math.abs(Number(data[at]))))
      for (let at = 0; at < data.length; at++) {
        const distance = Math.abs(Number(data[at]) - Number(found[name]?.data[at]))
        assert.ok(distance <= 1e-5 * Math.max(1, largest), `${name}[${at}] differs by ${distance}`)
      }
    }
    return flops(less) / flops(whole)
  })
  return Effect.runPromise(Effect.scoped(work).pipe(Effect.provide(layer({ threads: 1 }))))
}

const cls: Select = (g, hidden, mask) => pool(g, hidden, mask, { mode: "cls", normalize: true })

const packed = { packedRows: places.length + 1 }
const groups = [
  { rows: 1, tokens: 6 },
  { rows: 2, tokens: 4 },
]
const rates = { hidden: 0.25, attention: 0.25 }
const encoders = {
  dense: [encoder, {}],
  "dense with dropout": [encoder, { dropout: rates }],
  packed: [encoder, packed],
  "packed in groups with dropout": [encoder, { ...packed, groups, dropout: rates }],
  "packed with a projection": [projected, packed],
} as const

for (const [name, [config, shape]] of Object.entries(encoders)) {
  test(`an encoder pooled by its first token, ${name}`, async () => {
    const { graph, dropout } = bertGraph(bertConfig(config), { batch, tokens, ...shape })
    const left = await compare(programOf(graph, "last_hidden_state", dropout, cls))
    assert.ok(left < 0.85, `${left} of the operations are left`)
  })
}

const withoutDropout = {
  dense: [encoder, {}],
  full: [encoder, { full: true }],
  "in groups": [encoder, { groups }],
  packed: [encoder, packed],
  "packed in groups": [encoder, { ...packed, groups }],
  "with a projection": [projected, packed],
} as const

for (const [name, [config, shape]] of Object.entries(withoutDropout)) {
  test(`an encoder that is asked for first tokens alone, ${name}`, async () => {
    const program = (firstTokens: boolean): Program => {
      const { graph } = bertGraph(bertConfig(config), { batch, tokens, ...shape, firstTokens })
      return programOf(graph, "last_hidden_state", [], cls)
    }
    const left = await compare(program(false), program(true))
    const before = await compare(program(false))
    assert.ok(left < before - 0.05, `${left} of the operations are left, ${before} without`)
  })
}

test("dropout of first tokens alone: the last block's masks are theirs", () => {
  const shape = { batch, tokens, ...packed, groups, dropout: rates, firstTokens: true }
  const { graph, dropout } = bertGraph(bertConfig(encoder), shape)
  const dims = dropout.map(({ input }) => graph.inputs.find((value) => value.name === input)?.dims?.join())
  const rows = `${places.length + 1},8`
  const chunks = groups.map(({ rows: count, tokens: length }) => `${count},2,${length},${length}`)
  const firsts = groups.map(({ rows: count, tokens: length }) => `${count},2,1,${length}`)
  assert.deepEqual(dims, [rows, ...chunks, rows, rows, ...firsts, `${batch},8`, `${batch},8`])
})

test("an encoder pooled by the mean is left as it is", async () => {
  const { graph, dropout } = bertGraph(bertConfig(encoder), { batch, tokens, ...packed })
  const select: Select = (g, hidden, mask) => pool(g, hidden, mask, { mode: "mean", normalize: false })
  assert.equal(await compare(programOf(graph, "last_hidden_state", dropout, select)), 1)
})

// The last is a place of padding, which no packed row stands for, and the first is read twice.
const wanted = [3, 14, 3, 9]

for (const [name, shape] of Object.entries({ dense: {}, packed })) {
  test(`a decoder whose logits are read at a few places, ${name}`, async () => {
    const { graph } = decoderGraph(decoderConfig(decoder), { batch, tokens, ...shape })
    const select: Select = (g, logits) =>
      g.gather(g.reshape(logits, [batch * tokens, vocabulary]), g.constant(int64([2, 2], wanted)))
    const left = await compare(programOf(graph, "logits", [], select))
    assert.ok(left < 0.8, `${left} of the operations are left`)
  })
}
