import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { elementCount, float32, int64, readModel, staticDims, type Tensor, toHalf, toNumbers } from "@tandem/onnx"
import { readSafetensors, writeSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"
import type { Decoder, DecoderShape } from "../../src/decoder/Decoder.ts"
import { decoderConfig } from "../../src/decoder/DecoderConfig.ts"
import { decoderGraph } from "../../src/decoder/DecoderGraph.ts"
import { decoderInferenceGraph } from "../../src/decoder/DecoderInference.ts"
import { pickDecoderWeights } from "../../src/decoder/DecoderParameters.ts"
import { loadDecoder } from "../../src/node/LoadDecoder.ts"
import { saveDecoder } from "../../src/node/SaveDecoder.ts"
import { execute, withRuntime } from "../support/Embed.ts"
import { goldenJson, goldenPath, goldenTensors, largestDifference } from "../support/Golden.ts"

const scratch = await mkdtemp(join(tmpdir(), "decoder-"))
after(() => rm(scratch, { recursive: true, force: true }))

const models = ["gpt2", "llama", "mistral", "qwen2", "qwen3"]
const load = (directory: string, options = {}) => Effect.runPromise(loadDecoder(directory, options))
const golden = (name: string): string => goldenPath(`decoders/${name}`)

const edit = async (directory: string, changes: Readonly<Record<string, unknown>>): Promise<void> => {
  const file = join(directory, "config.json")
  await writeFile(file, JSON.stringify({ ...JSON.parse(await readFile(file, "utf8")), ...changes }))
}

/** Greedy tokens by @huggingface/transformers in a process of its own. */
const generate = async (directory: string, dtype: string, { prompt, text }: { prompt: number[]; text: string }) => {
  const script = fileURLToPath(new URL("../support/generate.mjs", import.meta.url))
  const request = JSON.stringify({ directory, dtype, prompt, text, count: 50 })
  const { stdout } = await promisify(execFile)(process.execPath, [script, request])
  const made: { tokens: number[]; text: string } = JSON.parse(stdout)
  return made
}

/** Logits of the golden batch. */
const logitsOf = async (decoder: Decoder, reference: ReadonlyMap<string, Tensor>, more: Partial<DecoderShape> = {}) => {
  const inputs = Object.fromEntries(decoder.inputs.map((name) => [name, reference.get(`in.${name}`)!]))
  const [batch = 0, tokens = 0] = inputs["input_ids"]!.dims
  const { graph } = await withRuntime(decoder.graph({ batch, tokens, ...more }))
  const rows = more.logitRows === undefined ? {} : { logit_rows: int64([more.logitRows], rowsOf(more.logitRows)) }
  return (await execute(graph, { ...inputs, ...rows, ...Object.fromEntries(decoder.parameters) }))["logits"]!
}

/** Distinct places of real tokens in the first row of the golden batch, which has no padding. */
const rowsOf = (count: number): number[] => Array.from({ length: count }, (_, index) => (index * 5) % 12)

/** Largest difference of the logits of the first row, and of all real tokens. */
const rowError = (found: Tensor, expected: Tensor, mask: Tensor): number => {
  const width = expected.dims.at(-1)!
  const [a, b] = [toNumbers(found), toNumbers(expected)]
  const real = toNumbers(mask)
  return Math.max(...a.map((value, index) => (real[Math.floor(index / width)] === 1 ? Math.abs(value - b[index]!) : 0)))
}

for (const name of models) {
  test(`${name}: transformers.js generates PyTorch's text from the saved model, token for token; fp16 and q8 run`, async (t) => {
    const directory = join(scratch, name)
    await Effect.runPromise(saveDecoder(directory, await load(golden(name))))
    const expected = goldenJson(`decoders/${name}/generation.json`)
    const made = await generate(directory, "fp32", expected)
    assert.deepEqual(made.tokens, expected.tokens)
    assert.equal(made.text, expected.generated)
    for (const dtype of ["fp16", "q8"]) {
      const { tokens } = await generate(directory, dtype, expected)
      const same = tokens.findIndex((token, index) => token !== expected.tokens[index])
      t.diagnostic(`${dtype}: ${same < 0 ? 50 : same} of 50 tokens as in fp32`)
      assert.equal(tokens.length, 50)
      assert.notEqual(dtype === "fp16" ? same : 1, 0)
    }
  })
}

/** Columns `from` to `to` of a matrix of whole numbers. */
const columns = (value: Tensor, from: number, to: number): Tensor => {
  const [rows = 0, width = 0] = value.dims
  const numbers = toNumbers(value)
  const kept = Array.from({ length: rows }, (_, row) => numbers.slice(row * width + from, row * width + to))
  return int64([rows, to - from], kept.flat())
}

const further = ["smollm3", "granite", "olmo2", "phi3", "gemma", "gemma2", "gemma3"]

for (const name of [...models, ...further]) {
  test(`${name}: a batch with padding on both sides gives PyTorch's logits through the cache, in fp32 and nearly in fp16`, async (t) => {
    const config = decoderConfig(goldenJson(`decoders/${name}/config.json`))
    const files = (await readdir(golden(name))).filter((file) => /^model.*\.safetensors$/.test(file))
    const tensors = new Map(files.flatMap((file) => [...goldenTensors(`decoders/${name}/${file}`)]))
    const { parameters } = pickDecoderWeights(config, tensors)
    const reference = goldenTensors(`decoders/${name}/reference.safetensors`)
    const [ids, mask] = [reference.get("in.input_ids")!, reference.get("in.attention_mask")!]
    const [batch = 0, tokens = 0] = ids.dims
    const positions = toNumbers(mask).map((_, place) => {
      const before = toNumbers(mask).slice(place - (place % tokens), place)
      return Math.max(
        0,
        before.reduce((sum, real) => sum + real, 0),
      )
    })
    const graph = decoderInferenceGraph(config, parameters)
    const expected = reference.get("logits")!
    const largest = Math.max(...toNumbers(expected).map(Math.abs))
    // Keys that were turned for a short text stay so when it grows beyond longrope's threshold, as in transformers
    const parts = name === "phi3" ? [tokens] : [5, 6, tokens]
    for (const [form, tolerance] of [
      [graph, 1e-4],
      [toHalf(graph), 0.02 * largest],
    ] as const) {
      let past = Object.fromEntries(
        form.inputs.flatMap(({ name: input, dims }): [string, Tensor][] =>
          input.startsWith("past") ? [[input, float32([batch, Number(dims![1]), 0, Number(dims![3])], [])]] : [],
        ),
      )
      const found: number[][] = Array.from({ length: batch }, () => [])
      for (const [index, to] of parts.entries()) {
        const from = parts[index - 1] ?? 0
        const out = await execute(form, {
          input_ids: columns(ids, from, to),
          attention_mask: columns(mask, 0, to),
          position_ids: columns(int64([batch, tokens], positions), from, to),
          ...past,
        })
        const values = toNumbers(out["logits"]!)
        const width = values.length / batch
        for (const [row, numbers] of found.entries()) numbers.push(...values.slice(row * width, (row + 1) * width))
        past = Object.fromEntries(
          Object.keys(past).map((key) => [key, out[key.replace("past_key_values", "present")]!] as const),
        )
      }
      const off = rowError(float32(expected.dims, found.flat()), expected, mask)
      t.diagnostic(`${off.toExponential(1)}`)
      assert.ok(off < tolerance, `logits stray by ${off}`)
    }
  })
}

test("dropout sits where Hugging Face's models have it; masks of ones scale by the kept share", async () => {
  for (const [name, sites] of [
    ["gpt2", 1 + 2 * 3],
    ["llama", 2],
  ] as const) {
    const { config, parameters } = await load(golden(name))
    const reference = goldenTensors(`decoders/${name}/reference.safetensors`)
    const inputs = { input_ids: reference.get("in.input_ids")!, attention_mask: reference.get("in.attention_mask")! }
    const [batch = 0, tokens = 0] = inputs.input_ids.dims
    const run = async (rate: number, keep: boolean) => {
      const { graph, dropout } = decoderGraph(config!, { batch, tokens, dropout: { hidden: rate, attention: rate } })
      // The Llama family has no dropout on hidden states
      assert.equal(dropout.length, sites)
      const masks = dropout.map(({ input }) => {
        const dims = staticDims(graph.inputs.find((value) => value.name === input)?.dims) ?? []
        return [input, { type: "bool", dims, data: new Uint8Array(elementCount(dims)).fill(keep ? 1 : 0) }] as const
      })
      const feeds = { ...inputs, ...Object.fromEntries(masks), ...Object.fromEntries(parameters) }
      return (await execute(graph, feeds))["logits"]!
    }
    const expected = reference.get("logits")!
    assert.ok(rowError(await run(1e-7, true), expected, inputs.attention_mask) < 2e-4)
    assert.ok(rowError(await run(0.5, true), expected, inputs.attention_mask) > 1e-1)
    assert.ok(rowError(await run(0.5, false), expected, inputs.attention_mask) > 1e-1)
  }
})

test("checkpoints without a head's prefix, with buffers and with a copy of tied embeddings are understood", async () => {
  const directory = join(scratch, "bare-gpt2")
  await cp(golden("gpt2"), directory, { recursive: true })
  const file = join(directory, "model.safetensors")
  const { tensors } = readSafetensors(new Uint8Array(await readFile(file)))
  const bare = [...tensors].map(([key, value]) => [key.replace("transformer.", ""), value] as const)
  const stale = float32([1], [7])
  const more = [
    ["h.0.attn.bias", stale],
    ["lm_head.weight", stale],
    ["v_head.weight", stale],
  ] as const
  await writeFile(file, writeSafetensors(new Map([...bare, ...more])))
  const decoder = await load(directory)
  assert.deepEqual(new Map([...decoder.parameters].sort()), new Map([...tensors].sort()))
  const target = join(scratch, "bare-gpt2-saved")
  await Effect.runPromise(saveDecoder(target, decoder, undefined, { types: ["fp32"] }))
  const saved = readSafetensors(new Uint8Array(await readFile(join(target, "model.safetensors")))).tensors
  assert.deepEqual([...saved.keys()].sort(), [...tensors.keys(), "v_head.weight"].sort())
})

test("the saved directory holds what Python reads: weights under Hugging Face's names, one config, the tokenizer", async () => {
  const directory = join(scratch, "qwen2-again")
  const source = join(scratch, "qwen2-source")
  await cp(golden("qwen2"), source, { recursive: true })
  await edit(source, { dtype: "bfloat16" })
  const decoder = await load(source)
  await Effect.runPromise(saveDecoder(directory, decoder))
  const files = (await readdir(directory, { recursive: true })).sort()
  assert.deepEqual(files, [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "onnx",
    "onnx/model.onnx",
    "onnx/model_fp16.onnx",
    "onnx/model_quantized.onnx",
    "tokenizer.json",
    "tokenizer_config.json",
  ])
  const { tensors } = readSafetensors(new Uint8Array(await readFile(join(directory, "model.safetensors"))))
  assert.deepEqual(new Map([...tensors].sort()), new Map([...decoder.parameters].sort()))
  const config = JSON.parse(await readFile(join(directory, "config.json"), "utf8"))
  assert.deepEqual(config["transformers.js_config"], { kv_cache_dtype: { fp16: "float16" } })
  assert.equal(config.dtype, "float32")
  const again = await load(directory)
  assert.deepEqual(again.parameters, decoder.parameters)
  assert.deepEqual(again.endTokenIds, [0])
  assert.equal(again.padTokenId, 1)
})

test("models beyond the limit keep their weights in data files that transformers.js finds", async () => {
  const directory = join(scratch, "external")
  await Effect.runPromise(
    saveDecoder(directory, await load(golden("llama")), undefined, { types: ["fp32", "q8"], largestFile: 16000 }),
  )
  const files = (await readdir(join(directory, "onnx"))).sort()
  assert.ok(files.includes("model.onnx_data") && files.includes("model.onnx_data_1"), files.join())
  const config = JSON.parse(await readFile(join(directory, "config.json"), "utf8"))
  const named = config["transformers.js_config"].use_external_data_format
  assert.equal(named["model.onnx"], files.filter((file) => file.startsWith("model.onnx_data")).length)
  const expected = goldenJson("decoders/llama/generation.json")
  assert.deepEqual((await generate(directory, "fp32", expected)).tokens, expected.tokens)
  const again = await load(directory, { prefer: "onnx" })
  assert.equal(again.source.kind, "onnx")
})

for (const name of ["gpt2", "llama", "qwen3"]) {
  test(`${name}: its own ONNX file trains with an empty past and takes weights back`, async () => {
    const reference = goldenTensors(`decoders/${name}/reference.safetensors`)
    const source = join(scratch, `${name}-onnx`)
    await Effect.runPromise(saveDecoder(source, await load(golden(name)), undefined, { types: ["fp32"] }))
    await rm(join(source, "model.safetensors"))
    const decoder = await load(source)
    assert.equal(decoder.source.kind, "onnx")
    assert.deepEqual([...decoder.parameters.keys()].sort(), [...(await load(golden(name))).parameters.keys()].sort())
    const logits = await logitsOf(decoder, reference)
    assert.ok(rowError(logits, reference.get("logits")!, reference.get("in.attention_mask")!) < 1e-4)
    const some = await logitsOf(decoder, reference, { logitRows: 3 })
    const width = logits.dims.at(-1)!
    const wanted = rowsOf(3).flatMap((row) => toNumbers(logits).slice(row * width, (row + 1) * width))
    assert.ok(largestDifference(some, float32([3, width], wanted)) < 1e-4)

    const moved = new Map(
      [...decoder.parameters].map(([key, value]) => {
        const numbers = toNumbers(value).map((x, i) => x + 0.01 * Math.sin(i + key.length))
        return [key, float32(value.dims, numbers)] as const
      }),
    )
    const target = join(scratch, `${name}-trained`)
    await Effect.runPromise(saveDecoder(target, decoder, moved))
    const model = readModel(new Uint8Array(await readFile(join(target, "onnx/model.onnx"))))
    for (const [key, value] of moved) assert.deepEqual(model.initializers.get(key)?.data, value.data)
    const before = readModel(new Uint8Array(await readFile(join(source, "onnx/model.onnx"))))
    assert.deepEqual(model.nodes, before.nodes)
    for (const type of name === "llama" ? ["fp32", "fp16", "q8"] : ["fp32"]) {
      const made = await generate(target, type, goldenJson(`decoders/${name}/generation.json`))
      assert.equal(made.tokens.length, 50)
    }
  })
}

for (const [name, { model, texts }] of Object.entries<{
  model: string
  texts: readonly { text: string; ids: number[]; plain: number[]; decoded: string }[]
}>(goldenJson("decoders/tokenizers.json"))) {
  test(`the ${name} tokenizer is that of Python`, async () => {
    const { tokenizer } = await load(golden(model))
    for (const { text, ids, plain, decoded } of texts) {
      assert.deepEqual(tokenizer.encode(text).ids, ids, JSON.stringify(text))
      assert.deepEqual(tokenizer.encode(text, { specialTokens: false }).ids, plain, JSON.stringify(text))
      assert.equal(tokenizer.decode(ids), decoded, JSON.stringify(text))
    }
  })
}

const broken: readonly (readonly [string, (directory: string) => Promise<unknown>, string, RegExp])[] = [
  ["an unknown architecture", (at) => edit(at, { model_type: "mamba" }), "UnsupportedArchitecture", /type mamba/],
  ["no config", (at) => rm(join(at, "config.json")), "InvalidLanguageModel", /config\.json cannot be read/],
  ["a missing shard", (at) => rm(join(at, "model-00002-of-00002.safetensors")), "InvalidLanguageModel", /00002/],
  ["no weights", (at) => rm(join(at, "model.safetensors.index.json")), "InvalidLanguageModel", /no weights/],
  ["a wrong size", (at) => edit(at, { intermediate_size: 25 }), "InvalidLanguageModel", /another shape/],
  ["a layer too many", (at) => edit(at, { num_hidden_layers: 3 }), "InvalidLanguageModel", /layer_types/],
  ["an unknown scaling", (at) => edit(at, { rope_parameters: { rope_type: "x" } }), "UnsupportedArchitecture", /rope/],
  ["quantized weights", (at) => edit(at, { quantization_config: { bits: 4 } }), "UnsupportedArchitecture", /quantiz/],
  ["an encoder and a decoder", (at) => edit(at, { is_encoder_decoder: true }), "UnsupportedArchitecture", /encoder/],
  [
    "an index that leaves the folder",
    (at) => writeFile(join(at, "model.safetensors.index.json"), '{"weight_map": {"a": "../a.safetensors"}}'),
    "InvalidSafetensors",
    /which file holds/,
  ],
]

for (const [name, damage, tag, message] of broken) {
  test(`${name} ends in ${tag}`, async () => {
    const directory = join(scratch, name)
    await cp(golden("qwen2"), directory, { recursive: true })
    await damage(directory)
    const error = await Effect.runPromise(Effect.flip(loadDecoder(directory)))
    assert.equal(error._tag, tag)
    assert.match(error.message, message)
  })
}
