// Decoders over frozen weights of 4 and 8 bits: what they compute, what trains over them, and what is saved.
import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { cp, mkdir, mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { addLora, differentiate, gradientName, initialAdapters, mergeAdapters } from "@tandem/autodiff"
import {
  type BlockOptions,
  bytesOf,
  elementCount,
  float32,
  type Graph,
  GraphBuilder,
  int64,
  readModel,
  type Tensor,
  toNumbers,
} from "@tandem/onnx"
import { truncatedNormals, xorshift128 } from "@tandem/random"
import { Runtime } from "@tandem/runtime"
import { readSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"
import type { Decoder } from "../../src/decoder/Decoder.ts"
import { decoderConfig } from "../../src/decoder/DecoderConfig.ts"
import { decoderParameters } from "../../src/decoder/DecoderParameters.ts"
import { dequantizeWeights, quantizeWeights } from "../../src/decoder/QuantizedDecoder.ts"
import { weightsDecoder } from "../../src/decoder/WeightsDecoder.ts"
import { loadDecoder } from "../../src/node/LoadDecoder.ts"
import { saveDecoder } from "../../src/node/SaveDecoder.ts"
import { execute, withRuntime } from "../support/Embed.ts"
import { goldenPath, largestDifference } from "../support/Golden.ts"

const scratch = await mkdtemp(join(tmpdir(), "quantized-"))
after(() => rm(scratch, { recursive: true, force: true }))

const { tokenizer } = await Effect.runPromise(loadDecoder(goldenPath("decoders/llama")))

const llama = {
  architectures: ["LlamaForCausalLM"],
  model_type: "llama",
  hidden_size: 64,
  intermediate_size: 96,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  head_dim: 16,
  max_position_embeddings: 64,
  vocab_size: 96,
  tie_word_embeddings: false,
  bos_token_id: 1,
  eos_token_id: 2,
}
const configs = {
  llama,
  "llama, tied": { ...llama, tie_word_embeddings: true },
  gpt2: {
    ...{ architectures: ["GPT2LMHeadModel"], model_type: "gpt2", n_embd: 48, n_head: 2, n_layer: 2, n_positions: 64 },
    ...{ vocab_size: 96, bos_token_id: 1, eos_token_id: 2, activation_function: "gelu_new" },
  },
} as const

/** Weights large enough that the next token is beyond doubt. */
const decoderOf = (huggingFace: Readonly<Record<string, unknown>>): Decoder => {
  const config = decoderConfig(huggingFace)
  const normal = truncatedNormals(xorshift128(3))
  const parameters = new Map(
    decoderParameters(config).map(({ name, dims, role }) => {
      const data = Float32Array.from({ length: elementCount(dims) }, () =>
        role === "scale" ? 1 + 0.1 * normal() : 0.25 * normal(),
      )
      return [name, float32(dims, data)] as const
    }),
  )
  return weightsDecoder({ config, parameters, tokenizer, huggingFace })
}

const ids = int64([2, 6], [5, 17, 60, 33, 8, 50, 41, 7, 7, 12, 0, 0])
const feeds = { input_ids: ids, attention_mask: int64([2, 6], [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0]) }

/** Adapters on every linear layer and their gradients, with those of what else trains. */
const trained = async (decoder: Decoder, more: readonly string[]) => {
  const { graph } = await withRuntime(decoder.graph({ batch: 2, tokens: 6, logitRows: 4 }))
  const g = new GraphBuilder()
  const logits = g.callWithInputs(graph).outputs["logits"]!
  const base = g.build({ logits, loss: g.reduceMean(g.mul(logits, g.add(logits, g.scalar(1))), [], false) })
  const lora = addLora(base, { rank: 3, alpha: 6, targets: "all-linear" })
  const values = new Map(
    [...initialAdapters(lora.adapters, 1)].map(([name, value]) => {
      const numbers = toNumbers(value).map((x, i) => (x === 0 ? 0.1 * Math.sin(i + name.length) : x))
      return [name, float32(value.dims, numbers)] as const
    }),
  )
  const wrt = [...values.keys(), ...more]
  const step = differentiate(lora.graph, { loss: "loss", wrt })
  const weights = Object.fromEntries([...decoder.parameters, ...decoder.frozen, ...values])
  const results = await execute(step, { ...feeds, ...weights, logit_rows: int64([4], [0, 3, 5, 9]) })
  return { lora, step, results, values, wrt }
}

const forms: readonly BlockOptions[] = [
  { bits: 4 },
  { bits: 4, blockSize: 16, symmetric: false },
  { bits: 8, blockSize: 32 },
]

for (const [model, huggingFace] of Object.entries(configs)) {
  for (const form of model === "llama, tied" ? forms.slice(0, 1) : forms) {
    test(`${model}, ${JSON.stringify(form)}: loss and gradients are those over what the blocks stand for`, async () => {
      const whole = decoderOf(huggingFace)
      const decoder = quantizeWeights(whole, form)
      const plain = dequantizeWeights(decoder)
      const norms = [...decoder.parameters.keys()].filter((name) => /norm|ln_/.test(name))
      const [found, expected] = [await trained(decoder, norms), await trained(plain, norms)]
      assert.deepEqual(
        found.lora.adapters.map(({ module }) => module),
        expected.lora.adapters.map(({ module }) => module),
      )
      for (const name of ["loss", "logits", ...found.wrt.map(gradientName)]) {
        const size = Math.max(...toNumbers(expected.results[name]!).map(Math.abs))
        assert.ok(size > 0, `${name} is 0`)
        const off = largestDifference(found.results[name], expected.results[name])
        assert.ok(off <= 1e-4 * size, `${name} is off by ${off} of ${size}`)
      }
      // Nothing but adapters and norms has a gradient, and nothing of the frozen weights is in the graph as floats
      assert.deepEqual(
        found.step.outputs.map(({ name }) => name).filter((name) => name.startsWith("grad.")),
        found.wrt.map(gradientName),
      )
      const inputs = new Set(found.step.inputs.map(({ name }) => name))
      for (const name of decoder.frozen.keys()) assert.ok(inputs.has(name), name)
      const weights = [...plain.parameters.keys()].filter((name) => !decoder.parameters.has(name))
      assert.deepEqual(
        weights.filter((name) => inputs.has(name)),
        [],
      )
      assert.ok([...found.step.initializers.values()].every(({ data }) => data.length < 1024))
      const size = (tensors: Iterable<Tensor>): number =>
        [...tensors].reduce((sum, tensor) => sum + bytesOf(tensor).byteLength, 0)
      const share = size(decoder.frozen.values()) / size(weights.map((name) => plain.parameters.get(name)!))
      // GPT-2's 48 numbers fill a block and a half of 32
      const filled = model === "gpt2" ? 4 / 3 : 1
      const most = filled * ((form.bits === 8 ? 0.25 : 0.125) + 1 / (form.blockSize ?? 32) + 0.02)
      assert.ok(share < most, `${share}`)
      // The quantised weights are those of the model, nearly
      for (const name of weights) {
        const off = largestDifference(whole.parameters.get(name), plain.parameters.get(name))
        assert.ok(off > 0 && off < (form.bits === 8 ? 0.01 : 0.12), `${name} moves by ${off}`)
      }
    })
  }
}

/** Greedy tokens by @huggingface/transformers in a process of its own. */
const generate = async (directory: string, dtype: string): Promise<readonly number[]> => {
  const script = fileURLToPath(new URL("../support/generate.mjs", import.meta.url))
  const request = JSON.stringify({ directory, dtype, prompt, text: "the long river", count: 16 })
  const { stdout } = await promisify(execFile)(process.execPath, [script, request])
  const made: { readonly tokens: readonly number[] } = JSON.parse(stdout)
  return made.tokens
}
const prompt = [1, 32, 29, 43, 17]

/** Greedy tokens by a saved graph, read whole for every token. */
const greedy = (graph: Graph, count: number): Promise<readonly number[]> =>
  withRuntime(
    Effect.gen(function* () {
      const runtime = yield* Runtime
      const executable = yield* runtime.compile(graph)
      const past = graph.inputs.flatMap(({ name, dims }) =>
        name.startsWith("past") ? [[name, float32([1, Number(dims?.[1]), 0, Number(dims?.[3])], [])] as const] : [],
      )
      const tokens = [...prompt]
      for (let made = 0; made < count; made++) {
        const row = (values: readonly number[]): Tensor => int64([1, tokens.length], values)
        const out = yield* executable.run({
          input_ids: row(tokens),
          attention_mask: row(tokens.map(() => 1)),
          position_ids: row([...tokens.keys()]),
          ...Object.fromEntries(past),
        })
        // transformers.js ends no text before it has as many tokens as it was asked for
        const last = toNumbers(out["logits"]!).slice(-96).with(llama.eos_token_id, Number.NEGATIVE_INFINITY)
        tokens.push(last.indexOf(Math.max(...last)))
      }
      return tokens.slice(prompt.length)
    }),
  )

const graphIn = async (directory: string, file: string): Promise<Graph> =>
  readModel(new Uint8Array(await readFile(join(directory, "onnx", file))))

const weightsIn = async (directory: string): Promise<ReadonlyMap<string, Tensor>> =>
  readSafetensors(new Uint8Array(await readFile(join(directory, "model.safetensors")))).tensors

const save = (directory: string, decoder: Decoder, parameters: ReadonlyMap<string, Tensor>, types = ["q4"] as const) =>
  Effect.runPromise(saveDecoder(directory, decoder, parameters, { types }))

test("a file of 4 bits that is saved says what its weights stand for, in ONNX Runtime and in transformers.js", async () => {
  const decoder = quantizeWeights(decoderOf(configs.llama), { blockSize: 16 })
  const directory = join(scratch, "saved")
  await Effect.runPromise(saveDecoder(directory, decoder, undefined, { types: ["fp32", "q8", "q4", "q4f16"] }))
  assert.deepEqual(
    new Map([...(await weightsIn(directory))].sort()),
    new Map([...dequantizeWeights(decoder).parameters].sort()),
  )
  const q4 = await graphIn(directory, "model_q4.onnx")
  for (const [name, value] of decoder.frozen) assert.deepEqual(q4.initializers.get(name), value, name)
  const expected = await greedy(await graphIn(directory, "model.onnx"), 16)
  assert.ok(new Set(expected).size > 4, expected.join())
  assert.deepEqual(await greedy(q4, 16), expected)
  for (const dtype of ["fp32", "q4"]) assert.deepEqual(await generate(directory, dtype), expected, dtype)
  const config = JSON.parse(await readFile(join(directory, "config.json"), "utf8"))
  assert.deepEqual(config["transformers.js_config"], { kv_cache_dtype: { q4f16: "float16" } })
  assert.equal((await generate(directory, "q4f16")).length, 16)
})

test("adapters are merged into 4 bits as into what they stand for, and into floats exactly", async () => {
  for (const model of ["gpt2", "llama, tied"] as const) {
    const decoder = quantizeWeights(decoderOf(configs[model]))
    const plain = dequantizeWeights(decoder)
    const [{ lora, values }, floats] = [await trained(decoder, []), await trained(plain, [])]
    const merged = mergeAdapters(lora.adapters, new Map([...decoder.parameters, ...decoder.frozen]), values)
    const exact = new Map([...plain.parameters, ...mergeAdapters(floats.lora.adapters, plain.parameters, values)])
    const [inBlocks, inFloats] = [join(scratch, `${model}-blocks`), join(scratch, `${model}-floats`)]
    await save(inBlocks, decoder, new Map([...decoder.parameters, ...merged]))
    await save(inFloats, plain, exact)
    const [a, b] = [await graphIn(inBlocks, "model_q4.onnx"), await graphIn(inFloats, "model_q4.onnx")]
    assert.deepEqual(a.nodes, b.nodes)
    assert.deepEqual(a.initializers, b.initializers)
    for (const [name, value] of merged) assert.deepEqual(a.initializers.get(name), value, name)
    assert.deepEqual(new Map([...(await weightsIn(inFloats))].sort()), new Map([...exact].sort()))
    assert.deepEqual(
      new Map([...(await weightsIn(inBlocks))].sort()),
      new Map([...dequantizeWeights(decoder, merged).parameters].sort()),
    )
    // A tied output layer has a copy in blocks, and the embeddings stay
    const tied = model === "gpt2" ? "transformer.wte.weight" : "model.embed_tokens.weight"
    assert.deepEqual(a.initializers.get(tied)?.data, plain.parameters.get(tied)?.data)
    assert.ok(a.initializers.has(`${tied}_Q4`))
    assert.deepEqual(await generate(inFloats, "q4"), await greedy(a, 16))
  }
})

/** A folder with nothing but a file of 4 bits. */
const fourBitsAlone = async (name: string, file: string, config: string): Promise<string> => {
  const directory = join(scratch, name)
  await mkdir(join(directory, "onnx"), { recursive: true })
  await cp(file, join(directory, "onnx/model_q4.onnx"))
  await cp(config, join(directory, "config.json"))
  for (const each of ["tokenizer.json", "tokenizer_config.json"]) {
    await cp(goldenPath(`decoders/llama/${each}`), join(directory, each))
  }
  return directory
}

test("a file of 4 bits alone is a frozen base of adapters, and takes them in", async () => {
  const decoder = quantizeWeights(decoderOf(configs.llama))
  const source = join(scratch, "source")
  await save(source, decoder, decoder.parameters)
  const directory = await fourBitsAlone("alone", join(source, "onnx/model_q4.onnx"), join(source, "config.json"))
  const loaded = await Effect.runPromise(loadDecoder(directory))
  assert.deepEqual([...loaded.frozen.keys()].sort(), [...decoder.frozen.keys()].sort())
  assert.deepEqual([...loaded.parameters.keys()].sort(), [...decoder.parameters.keys()].sort())
  assert.throws(() => dequantizeWeights(loaded), { _tag: "InvalidLanguageModel" })
  assert.throws(() => quantizeWeights(loaded), { _tag: "InvalidLanguageModel" })
  const [found, expected] = [await trained(loaded, []), await trained(decoder, [])]
  for (const name of ["loss", ...expected.wrt.map(gradientName)]) {
    const size = Math.max(...toNumbers(expected.results[name]!).map(Math.abs))
    assert.ok(largestDifference(found.results[name], expected.results[name]) <= 1e-4 * size, name)
  }
  const weights = new Map([...loaded.parameters, ...loaded.frozen])
  const merged = mergeAdapters(found.lora.adapters, weights, found.values)
  const target = join(scratch, "alone-merged")
  await Effect.runPromise(saveDecoder(target, loaded, new Map([...weights, ...merged])))
  const saved = await graphIn(target, "model_q4.onnx")
  for (const [name, value] of merged) assert.deepEqual(saved.initializers.get(name), value, name)
  const tokens = await greedy(saved, 16)
  assert.deepEqual(await generate(target, "q4"), tokens)
  assert.notDeepEqual(tokens, await greedy(await graphIn(directory, "model_q4.onnx"), 16))
})

test("a file of 4 bits by ONNX Runtime's quantizer is a frozen base of adapters", async () => {
  const file = goldenPath("exports/llama/contrib-nbits.onnx")
  const loaded = await Effect.runPromise(
    loadDecoder(await fourBitsAlone("foreign", file, goldenPath("decoders/llama/config.json"))),
  )
  assert.ok([...loaded.frozen.values()].some(({ type }) => type === "uint8"))
  const { results, wrt, lora, step } = await trained(loaded, [])
  assert.ok(lora.adapters.every(({ quantized, blocks }) => quantized && blocks?.zeroPoints !== undefined))
  const still = wrt.filter((name) => toNumbers(results[gradientName(name)]!).every((x) => x === 0))
  assert.deepEqual(still, [])
  const inputs = new Set(step.inputs.map(({ name }) => name))
  for (const name of loaded.frozen.keys()) assert.ok(inputs.has(name), name)
})

test("the graph that writes text has the blocks inside", async () => {
  const decoder = quantizeWeights(decoderOf(configs.gpt2))
  const { graph } = await Effect.runPromise(decoder.decoding)
  for (const [name, value] of decoder.frozen) assert.deepEqual(graph.initializers.get(name), value, name)
  const inputs = new Set(graph.inputs.map(({ name }) => name))
  for (const name of dequantizeWeights(decoder).parameters.keys()) {
    assert.equal(inputs.has(name), decoder.parameters.has(name), name)
  }
  await withRuntime(Effect.flatMap(Runtime, ({ compile }) => compile(graph)))
})

test("weights stay as they are by name", () => {
  const decoder = quantizeWeights(decoderOf(configs.llama), { keep: (name) => name === "lm_head.weight" })
  assert.ok(decoder.parameters.has("lm_head.weight") && !decoder.frozen.has("lm_head.weight_Q4"))
})
