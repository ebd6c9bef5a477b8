import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { float32, readModel, type Tensor, tensor, tensorLocations, toNumbers } from "@tandem/onnx"
import { readSafetensors, writeSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"
import type { Encoder } from "../../src/encoder/Encoder.ts"
import { tinyEncoder } from "../../src/encoder/TinyEncoder.ts"
import { loadEncoder } from "../../src/node/LoadEncoder.ts"
import { saveEncoder } from "../../src/node/SaveEncoder.ts"
import { trainWordPiece } from "../../src/tokenizer/WordPiece.ts"
import { embed, withRuntime } from "../support/Embed.ts"
import { goldenJson, goldenPath, goldenTensors, largestDifference } from "../support/Golden.ts"

const scratch = await mkdtemp(join(tmpdir(), "save-"))
after(() => rm(scratch, { recursive: true, force: true }))

const fixture = goldenPath("sentence-transformers-tiny")
const golden = goldenJson("sentence-transformers-tiny/embeddings.json")
const texts: readonly string[] = [golden.sentences[0], golden.sentences[2], golden.sentences[5]]

/** Embeddings of the texts by @huggingface/transformers in a process of its own. */
const transformersEmbeddings = async (directory: string, encoder: Encoder, dtype: "fp32" | "q8"): Promise<Tensor> => {
  const script = fileURLToPath(new URL("../support/transformers.mjs", import.meta.url))
  const { mode, normalize } = encoder.pooling
  const request = JSON.stringify({ directory, texts, dtype, pooling: mode, normalize })
  const { stdout } = await promisify(execFile)(process.execPath, [script, request])
  const { dims, data } = JSON.parse(stdout)
  return float32(dims, data)
}

/** Every weight moved a little, as training does. */
const moved = ({ parameters }: Encoder): ReadonlyMap<string, Tensor> =>
  new Map(
    [...parameters].map(([name, value]) => {
      const numbers = toNumbers(value).map((x, i) => x + 0.01 * Math.sin(i + name.length))
      return [name, float32(value.dims, numbers)]
    }),
  )

const save = (directory: string, encoder: Encoder, parameters?: ReadonlyMap<string, Tensor>) =>
  Effect.runPromise(saveEncoder(directory, encoder, parameters))

/** Cosine of the angle between rows, at its worst. */
const worstCosine = (a: Tensor, b: Tensor): number => {
  const [rows = 0, width = 0] = a.dims
  const row = (x: Tensor, i: number) => toNumbers(x).slice(i * width, (i + 1) * width)
  const dot = (x: number[], y: number[]) => x.reduce((sum, value, i) => sum + value * (y[i] ?? 0), 0)
  const cosines = Array.from({ length: rows }, (_, i) => {
    const [x, y] = [row(a, i), row(b, i)]
    return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y))
  })
  return Math.min(...cosines)
}

const vocabulary = trainWordPiece([...golden.sentences], { vocabularySize: 90, minFrequency: 1 })
const models: readonly (readonly [string, () => Promise<Encoder>])[] = [
  ["a sentence-transformers folder", () => Effect.runPromise(loadEncoder(fixture))],
  ["a random encoder", async () => tinyEncoder({ seed: 5, vocabulary, layers: 4, hidden: 64, intermediate: 128 })],
  ["CLS pooling", () => Effect.runPromise(loadEncoder(fixture, { pooling: { mode: "cls", normalize: false } }))],
  ["DistilBERT", () => loadDistilBert()],
]

const loadDistilBert = async (): Promise<Encoder> => {
  const directory = join(scratch, "distilbert")
  await cp(fixture, directory, { recursive: true })
  for (const file of ["config.json", "model.safetensors"]) {
    await cp(goldenPath(`distilbert-tiny/${file}`), join(directory, file))
  }
  return await Effect.runPromise(loadEncoder(directory))
}

for (const [name, make] of models) {
  test(`${name}: another process gets the trained embeddings, in fp32 and nearly so in q8`, async () => {
    const encoder = await make()
    const trained = { ...encoder, parameters: moved(encoder) }
    const directory = join(scratch, `out ${name}`)
    await save(directory, encoder, trained.parameters)
    const ours = await withRuntime(embed(trained, texts))
    const before = await withRuntime(embed(encoder, texts))
    assert.ok(largestDifference(ours, before) > 1e-3)
    assert.ok(largestDifference(await transformersEmbeddings(directory, encoder, "fp32"), ours) < 1e-5)
    assert.ok(worstCosine(await transformersEmbeddings(directory, encoder, "q8"), ours) > 0.97)

    const again = await Effect.runPromise(loadEncoder(directory))
    assert.deepEqual(
      [again.pooling, again.prompts, again.maxLength],
      [encoder.pooling, encoder.prompts, encoder.maxLength],
    )
    assert.equal(largestDifference(await withRuntime(embed(again, texts)), ours), 0)
    const onnx = await Effect.runPromise(loadEncoder(directory, { prefer: "onnx" }))
    assert.ok(largestDifference(await withRuntime(embed(onnx, texts)), ours) < 1e-5)
  })
}

test("names in the saved safetensors are Hugging Face's, the pooler stays and a task's head goes", async () => {
  const directory = join(scratch, "masked-lm")
  await cp(fixture, directory, { recursive: true })
  const tensors = goldenTensors("sentence-transformers-tiny/model.safetensors")
  const pooler = tensor("float32", [1], Float32Array.of(3))
  const prefixed = new Map([...tensors].map(([name, value]) => [`bert.${name}`, value]))
  await writeFile(
    join(directory, "model.safetensors"),
    writeSafetensors(new Map([...prefixed, ["bert.pooler.dense.bias", pooler], ["cls.predictions.bias", pooler]])),
  )
  const out = join(scratch, "masked-lm out")
  await save(out, await Effect.runPromise(loadEncoder(directory)))
  const saved = readSafetensors(new Uint8Array(await readFile(join(out, "model.safetensors")))).tensors
  assert.deepEqual([...saved.keys()].sort(), [...tensors.keys(), "pooler.dense.bias"].sort())
  assert.deepEqual(JSON.parse(await readFile(join(out, "config.json"), "utf8")).architectures, ["BertModel"])
})

test("DPR keeps its names and its first token, and loads in another process", async () => {
  const directory = join(scratch, "dpr")
  await mkdir(directory)
  for (const file of ["tokenizer.json", "tokenizer_config.json"]) await cp(join(fixture, file), join(directory, file))
  const config = goldenJson("bert-tiny/config.json")
  await writeFile(join(directory, "config.json"), JSON.stringify({ ...config, model_type: "dpr", projection_dim: 0 }))
  const prefixed = new Map(
    [...goldenTensors("bert-tiny/model.safetensors")].map(([name, value]) => [`ctx_encoder.bert_model.${name}`, value]),
  )
  await writeFile(join(directory, "model.safetensors"), writeSafetensors(prefixed))
  const encoder = await Effect.runPromise(loadEncoder(directory))
  assert.deepEqual(encoder.pooling, { mode: "cls", normalize: false })
  const out = join(scratch, "dpr out")
  await save(out, encoder)
  const saved = readSafetensors(new Uint8Array(await readFile(join(out, "model.safetensors")))).tensors
  assert.deepEqual([...saved.keys()].sort(), [...prefixed.keys()].sort())
  const ours = await withRuntime(embed(encoder, texts))
  assert.ok(largestDifference(await transformersEmbeddings(out, encoder, "fp32"), ours) < 1e-5)
})

/** An ONNX directory as transformers.js lays it out, with a stale quantized model and a stale checkpoint beside. */
const onnxDirectory = async (name: string, model: string): Promise<string> => {
  const directory = join(scratch, name)
  await cp(fixture, directory, { recursive: true })
  await mkdir(join(directory, "onnx"))
  await cp(goldenPath(`bert-tiny/${model}.onnx`), join(directory, "onnx/model.onnx"))
  await writeFile(join(directory, "onnx/model_quantized.onnx"), "stale")
  await writeFile(join(directory, "README.md"), "a model")
  return directory
}

for (const model of ["dynamo", "script"]) {
  test(`the ONNX export ${model}: only the bytes of weights change, and another process gets the embeddings`, async () => {
    const directory = await onnxDirectory(model, model)
    const encoder = await Effect.runPromise(loadEncoder(directory, { prefer: "onnx" }))
    const trained = { ...encoder, parameters: moved(encoder) }
    const out = join(scratch, `${model} out`)
    await save(out, encoder, trained.parameters)
    const [before, after] = await Promise.all(
      [directory, out].map(async (at) => new Uint8Array(await readFile(join(at, "onnx/model.onnx")))),
    )
    assert.ok(before !== undefined && after !== undefined && before.join() !== after.join())
    for (const bytes of [before, after]) {
      for (const [name, { ranges }] of tensorLocations(bytes)) {
        if (encoder.parameters.has(name)) for (const { start, end } of ranges) bytes.fill(0, start, end)
      }
    }
    assert.deepEqual(after, before)
    const files = (await readdir(out, { recursive: true })).sort()
    assert.ok(files.includes("README.md") && files.includes("onnx/model_quantized.onnx"))
    assert.ok(!files.includes("model.safetensors"))
    const ours = await withRuntime(embed(trained, texts))
    assert.ok(largestDifference(await transformersEmbeddings(out, encoder, "fp32"), ours) < 1e-5)
    assert.ok(worstCosine(await transformersEmbeddings(out, encoder, "q8"), ours) > 0.97)
  })
}

test("saving replaces a directory as a whole, and leaves it alone where it fails", async () => {
  const encoder = await Effect.runPromise(loadEncoder(fixture))
  const directory = join(scratch, "replaced")
  await mkdir(directory)
  await writeFile(join(directory, "old.txt"), "old")
  // Left by a writer that was killed (no process has such a number), and the work of one that lives.
  const dead = "999999999-0123456789ab"
  const living = `replaced.${process.ppid}-0123456789ab.part`
  for (const name of [`replaced.${dead}.part`, `replaced.${dead}.old`, living]) await mkdir(join(scratch, name))
  const wrong = new Map([...encoder.parameters].slice(1))
  const misfit = await Effect.runPromise(Effect.flip(saveEncoder(directory, encoder, wrong)))
  assert.equal(misfit._tag, "InvalidEncoder")
  assert.deepEqual(await readdir(directory), ["old.txt"])
  await save(directory, encoder)
  assert.ok(!(await readdir(directory)).includes("old.txt"))
  const beside = (await readdir(scratch)).filter((name) => name.startsWith("replaced"))
  assert.deepEqual(beside.sort(), ["replaced", living])

  const blocked = join(scratch, "blocked")
  await writeFile(blocked, "a file where a folder must stand")
  const failed = await Effect.runPromise(Effect.flip(saveEncoder(join(blocked, "inside"), encoder)))
  assert.equal(failed._tag, "SaveFailed")
  const onnx = await Effect.runPromise(loadEncoder(await onnxDirectory("itself", "dynamo"), { prefer: "onnx" }))
  const over = await Effect.runPromise(Effect.flip(saveEncoder(join(scratch, "itself"), onnx)))
  assert.equal(over._tag, "SaveFailed")
})

test("the inference graph of a saved model is a plain one", async () => {
  const graph = readModel(new Uint8Array(await readFile(join(scratch, "replaced/onnx/model.onnx"))))
  assert.deepEqual(
    graph.inputs.map(({ name, dims }) => [name, dims]),
    ["input_ids", "attention_mask", "token_type_ids"].map((name) => [name, ["batch", "sequence"]]),
  )
  assert.deepEqual(
    graph.outputs.map(({ name }) => name),
    ["last_hidden_state"],
  )
  assert.ok([...graph.opsets.keys()].every((domain) => domain === ""))
})
