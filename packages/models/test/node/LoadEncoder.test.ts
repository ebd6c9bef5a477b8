import assert from "node:assert/strict"
import { cp, mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { float32, int64, readModel, staticDims, toNumbers, writeModel } from "@tandem/onnx"
import { Effect } from "effect"
import { loadEncoder } from "../../src/node/LoadEncoder.ts"
import { embed, embedInAnyShape, execute, withRuntime } from "../support/Embed.ts"
import { goldenJson, goldenPath, goldenTensors, largestDifference } from "../support/Golden.ts"

const scratch = await mkdtemp(join(tmpdir(), "directory-"))
after(() => rm(scratch, { recursive: true, force: true }))

const folder = "sentence-transformers-tiny"
const golden = goldenJson(`${folder}/embeddings.json`)
const sentences: readonly string[] = golden.sentences
const expected = float32([sentences.length, 32], golden.embeddings.flat())

/** A copy of the sentence-transformers fixture to break. */
const copy = async (name: string): Promise<string> => {
  const target = join(scratch, name)
  await cp(goldenPath(folder), target, { recursive: true })
  return target
}

/** The same model as an ONNX directory. */
const onnxCopy = async (name: string, model: string): Promise<string> => {
  const target = await copy(name)
  await rm(join(target, "model.safetensors"))
  await mkdir(join(target, "onnx"))
  await cp(goldenPath(`bert-tiny/${model}`), join(target, "onnx/model.onnx"))
  return target
}

test("a sentence-transformers folder gives its own settings and embeddings", async () => {
  const encoder = await Effect.runPromise(loadEncoder(goldenPath(folder)))
  assert.deepEqual(encoder.pooling, { mode: "mean", normalize: true })
  assert.deepEqual(encoder.prompts, { query: "query: ", passage: "passage: " })
  assert.equal(encoder.maxLength, 32)
  assert.equal(encoder.config.doLowerCase, true)
  assert.equal(encoder.source.kind, "weights")
  assert.ok(largestDifference(await withRuntime(embed(encoder, sentences)), expected) < 1e-5)
})

for (const variant of ["mean", "cls"] as const) {
  for (const form of ["", "-legacy"]) {
    test(`pooling settings: ${variant}${form}`, async () => {
      const target = await copy(`pooling-${variant}${form}`)
      await cp(join(target, `pooling-${variant}${form}.json`), join(target, "1_Pooling/config.json"))
      const encoder = await Effect.runPromise(loadEncoder(target))
      assert.deepEqual(encoder.pooling, { mode: variant, normalize: true })
    })
  }
}

for (const model of ["dynamo.onnx", "script.onnx", "script-opset14.onnx"]) {
  test(`the ONNX export ${model} gives the same embeddings at any shape, from static graphs and from one`, async () => {
    const target = await onnxCopy(model, model)
    const encoder = await Effect.runPromise(loadEncoder(target))
    assert.equal(encoder.source.kind, "onnx")
    assert.deepEqual(encoder.pooling, { mode: "mean", normalize: true })
    assert.ok(encoder.parameters.size >= 36)
    const { all, few, free, graph, firsts } = await withRuntime(
      Effect.gen(function* () {
        const all = yield* embed(encoder, sentences)
        const few = yield* embed(encoder, sentences.slice(0, 2))
        const free = yield* embedInAnyShape(encoder, sentences)
        const shape = { batch: 2, tokens: 7 }
        const [{ graph }, firsts] = [yield* encoder.graph(shape), yield* encoder.graph({ ...shape, firstTokens: true })]
        return { all, few, free, graph, firsts: firsts.graph }
      }),
    )
    assert.ok(largestDifference(all, expected) < 1e-5)
    assert.ok(largestDifference(free, expected) < 1e-5)
    assert.ok(largestDifference(few, float32([2, 32], golden.embeddings.slice(0, 2).flat())) < 1e-5)
    assert.deepEqual(
      graph.inputs.map((input) => input.name),
      [...encoder.inputs, ...encoder.parameters.keys()],
    )
    assert.deepEqual(graph.outputs[0]?.dims, [2, 7, 32])
    const feeds = {
      ...Object.fromEntries(encoder.parameters),
      ...Object.fromEntries(encoder.inputs.map((name) => [name, int64([2, 7], Array(14).fill(1))])),
    }
    const states = toNumbers((await execute(graph, feeds))["last_hidden_state"]!)
    const wanted = float32([2, 1, 32], [...states.slice(0, 32), ...states.slice(7 * 32, 8 * 32)])
    const found = (await execute(firsts, feeds))["last_hidden_state"]!
    assert.deepEqual(found.dims, wanted.dims)
    assert.ok(largestDifference(found, wanted) < 1e-5)
    for (const node of graph.nodes) {
      for (const name of node.outputs) {
        if (name !== "") assert.ok(staticDims(graph.values.get(name)?.dims) !== undefined, `${node.name}: ${name}`)
      }
    }
  })
}

test("DistilBERT's export takes no segments, and its parameters carry PyTorch's values", async () => {
  const target = await onnxCopy("distilbert", "../distilbert-tiny/dynamo.onnx")
  await cp(goldenPath("distilbert-tiny/config.json"), join(target, "config.json"))
  const encoder = await Effect.runPromise(loadEncoder(target))
  assert.deepEqual(encoder.inputs, ["input_ids", "attention_mask"])
  assert.equal(encoder.config.architecture, "distilbert")
  const weights = goldenTensors("distilbert-tiny/model.safetensors")
  const name = "transformer.layer.0.sa_layer_norm.weight"
  const same = [...encoder.parameters.values()].some(({ data }) => data.join() === weights.get(name)?.data.join())
  assert.ok(same)
})

test("a directory with safetensors and ONNX gives what is asked for", async () => {
  const target = await onnxCopy("both", "dynamo.onnx")
  await cp(goldenPath(`${folder}/model.safetensors`), join(target, "model.safetensors"))
  assert.equal((await Effect.runPromise(loadEncoder(target))).source.kind, "weights")
  assert.equal((await Effect.runPromise(loadEncoder(target, { prefer: "onnx" }))).source.kind, "onnx")
})

test("a directory with only vocab.txt gets BERT's tokenizer", async () => {
  const target = await copy("vocabulary")
  await rm(join(target, "tokenizer.json"))
  const encoder = await Effect.runPromise(loadEncoder(target))
  for (const [index, text] of sentences.entries()) {
    assert.deepEqual(encoder.tokenizer.encode(text, { maxLength: 32 }).ids, golden.ids[index])
  }
})

test("without sentence-transformers files texts are pooled by the mean, and options override", async () => {
  const target = await copy("plain")
  for (const name of ["modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"]) {
    await rm(join(target, name))
  }
  const encoder = await Effect.runPromise(loadEncoder(target))
  assert.deepEqual(encoder.pooling, { mode: "mean", normalize: false })
  assert.deepEqual(encoder.prompts, { query: "", passage: "" })
  const cls = await Effect.runPromise(loadEncoder(target, { pooling: { mode: "cls", normalize: true }, maxLength: 9 }))
  assert.deepEqual([cls.pooling.mode, cls.maxLength], ["cls", 9])
})

const broken: readonly (readonly [string, (target: string) => Promise<unknown>, string, RegExp])[] = [
  ["no config", (at) => rm(join(at, "config.json")), "InvalidEncoder", /config\.json cannot be read/],
  ["a config that is no JSON", (at) => writeFile(join(at, "config.json"), "{"), "InvalidEncoder", /not JSON/],
  ["no weights", (at) => rm(join(at, "model.safetensors")), "InvalidEncoder", /no weights/],
  [
    "cut weights",
    (at) => truncate(join(at, "model.safetensors"), 5000),
    "InvalidSafetensors",
    /end of the file|header/,
  ],
  ["a cut tokenizer", (at) => truncate(join(at, "tokenizer.json"), 500), "InvalidEncoder", /not JSON/],
  [
    "no tokenizer",
    (at) => Promise.all([rm(join(at, "tokenizer.json")), rm(join(at, "vocab.txt"))]),
    "InvalidEncoder",
    /vocab\.txt cannot be read/,
  ],
  [
    "an unknown module",
    (at) => writeFile(join(at, "modules.json"), JSON.stringify([{ type: "x.Dense", path: "2_Dense" }])),
    "UnsupportedEncoder",
    /x\.Dense/,
  ],
  [
    "a module outside the folder",
    (at) => writeFile(join(at, "modules.json"), JSON.stringify([{ type: "x.Pooling", path: "../x" }])),
    "InvalidEncoder",
    /inside the folder/,
  ],
  [
    "two pooling modes",
    (at) =>
      writeFile(join(at, "1_Pooling/config.json"), '{"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":true}'),
    "UnsupportedEncoder",
    /pools/,
  ],
]

for (const [name, damage, tag, message] of broken) {
  test(`${name}: a tagged error`, async () => {
    const target = await copy(name)
    await damage(target)
    const error = await Effect.runPromise(Effect.flip(loadEncoder(target)))
    assert.equal(error._tag, tag)
    assert.match(error.message, message)
  })
}

test("ONNX files that are cut off, take foreign inputs or hold no float32 weights are tagged errors", async () => {
  const target = await onnxCopy("unusable", "dynamo.onnx")
  const file = join(target, "onnx/model.onnx")
  const graph = readModel(await readFile(file))
  const failure = async (bytes: Uint8Array) => {
    await writeFile(file, bytes)
    return await Effect.runPromise(Effect.flip(loadEncoder(target)))
  }
  const position = { name: "position_ids", type: "int64", dims: ["batch", "sequence"] } as const
  const foreign = await failure(writeModel({ ...graph, inputs: [...graph.inputs, position] }))
  assert.equal(foreign._tag, "UnsupportedEncoder")
  assert.match(foreign.found ?? "", /position_ids/)
  const [ids] = graph.inputs
  const empty = { ...graph, nodes: [], initializers: new Map(), outputs: [{ ...ids!, dims: [1, 2, 3] }] }
  assert.match((await failure(writeModel(empty))).message, /no float32 weights/)
  assert.equal((await failure(writeModel(graph).subarray(0, 20_000)))._tag, "InvalidModel")
})
