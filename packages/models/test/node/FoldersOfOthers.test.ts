// Folders as older versions, adapters' trainers and interrupted downloads leave them.
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { float32, GraphBuilder, writeModelExternal } from "@tandem/onnx"
import { Effect } from "effect"
import { InvalidEncoder, InvalidLanguageModel, type ModelError, UnsupportedEncoder } from "../../src/Errors.ts"
import { loadEncoder } from "../../src/node/LoadEncoder.ts"
import { loadLanguageModel } from "../../src/node/LoadLanguageModel.ts"
import { openModelFile } from "../../src/node/OpenModelFile.ts"
import { saveEncoder } from "../../src/node/SaveEncoder.ts"
import { goldenPath } from "../support/Golden.ts"

const scratch = await mkdtemp(join(tmpdir(), "others-"))
after(() => rm(scratch, { recursive: true, force: true }))

let copies = 0

/** A copy of the sentence-transformers fixture, as an ONNX directory where `onnx` says so. */
const copy = async ({ onnx }: { readonly onnx: boolean } = { onnx: false }): Promise<string> => {
  const target = join(scratch, `${copies++}`)
  await cp(goldenPath("sentence-transformers-tiny"), target, { recursive: true })
  if (!onnx) return target
  await rm(join(target, "model.safetensors"))
  await mkdir(join(target, "onnx"))
  await cp(goldenPath("bert-tiny/dynamo.onnx"), join(target, "onnx/model.onnx"))
  return target
}

const write = (folder: string, file: string, value: unknown) => writeFile(join(folder, file), JSON.stringify(value))

const load = (folder: string) => Effect.runPromise(loadEncoder(folder))

const failure = (folder: string) => Effect.runPromise(Effect.flip(loadEncoder(folder)))

test("length limits in the files of older versions, the newest name first", async () => {
  for (const kind of ["roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"]) {
    const folder = await copy()
    await write(folder, `sentence_${kind}_config.json`, { max_seq_length: 9 })
    assert.equal((await load(folder)).maxLength, 32)
    await rm(join(folder, "sentence_bert_config.json"))
    assert.equal((await load(folder)).maxLength, 9, kind)
  }
})

for (const onnx of [false, true]) {
  test(`modules.json says where the transformer lies (${onnx ? "ONNX" : "safetensors"}), and a copy is saved of it`, async () => {
    const folder = await copy({ onnx })
    const plain = await load(folder)
    await mkdir(join(folder, "0_Transformer"))
    const files = ["config.json", "tokenizer.json", "tokenizer_config.json", "sentence_bert_config.json"]
    for (const file of [...files, onnx ? "onnx" : "model.safetensors"]) {
      await rename(join(folder, file), join(folder, "0_Transformer", file))
    }
    await write(folder, "modules.json", [
      { idx: 0, name: "0", path: "0_Transformer", type: "sentence_transformers.models.Transformer" },
      { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
    ])
    const old = await load(folder)
    assert.deepEqual(old.parameters, plain.parameters)
    assert.deepEqual([old.maxLength, old.pooling], [32, { mode: "mean", normalize: false }])
    const saved = join(scratch, `saved-${onnx}`)
    await Effect.runPromise(saveEncoder(saved, old))
    assert.deepEqual((await load(saved)).parameters, plain.parameters)
  })

  test(`similarity is read, and saved as asked (${onnx ? "ONNX" : "safetensors"})`, async () => {
    const folder = await copy({ onnx })
    await write(folder, "config_sentence_transformers.json", { prompts: { query: "q: " }, similarity_fn_name: "dot" })
    const encoder = await load(folder)
    assert.deepEqual([encoder.similarity, encoder.pooling.normalize], ["dot", true])
    const saved = join(scratch, `similar-${onnx}`)
    for (const similarity of ["dot", "cosine"] as const) {
      await Effect.runPromise(saveEncoder(saved, { ...encoder, similarity }))
      const again = await load(saved)
      assert.deepEqual([again.similarity, again.prompts.query, again.pooling.normalize], [similarity, "q: ", true])
    }
  })
}

test("a plain ONNX directory gets the files that say how its embeddings are compared, where they have to", async () => {
  const folder = await copy({ onnx: true })
  for (const file of ["modules.json", "config_sentence_transformers.json"]) await rm(join(folder, file))
  const encoder = await load(folder)
  assert.deepEqual([encoder.similarity, encoder.pooling.normalize], [undefined, false])
  const saved = join(scratch, "plain")
  await Effect.runPromise(saveEncoder(saved, { ...encoder, similarity: "dot" }))
  assert.equal((await load(saved)).similarity, undefined)
  await Effect.runPromise(saveEncoder(saved, { ...encoder, similarity: "cosine" }))
  assert.equal((await load(saved)).similarity, "cosine")
})

test("distances are refused by name", async () => {
  const folder = await copy()
  await write(folder, "config_sentence_transformers.json", { similarity_fn_name: "euclidean" })
  const error = await failure(folder)
  assert.ok(error instanceof UnsupportedEncoder)
  assert.deepEqual([error.field, error.found], ["similarity_fn_name", "euclidean"])
})

test("adapters alone, lower precisions alone and pickled weights are named for what they are", async () => {
  const adapters = await copy()
  await rm(join(adapters, "config.json"))
  await write(adapters, "adapter_config.json", { base_model_name_or_path: "acme/base" })
  const error = await failure(adapters)
  assert.ok(error instanceof InvalidEncoder)
  assert.deepEqual([error.file, error.found], [join(adapters, "adapter_config.json"), "adapters for acme/base"])
  assert.match(error.hint ?? "", /merge_and_unload/)
  const generator = await Effect.runPromise(Effect.flip(loadLanguageModel(adapters)))
  assert.ok(generator instanceof InvalidLanguageModel)
  assert.match(generator.hint ?? "", /merge/)

  const small = await copy({ onnx: true })
  await rename(join(small, "onnx/model.onnx"), join(small, "onnx/model_quantized.onnx"))
  const quantized = await failure(small)
  assert.ok(quantized instanceof InvalidEncoder)
  assert.equal(quantized.found, "onnx/model_quantized.onnx: a lower precision alone")
  assert.match(quantized.hint ?? "", /full-precision/)

  await rename(join(small, "onnx/model_quantized.onnx"), join(small, "pytorch_model-00001-of-00002.bin"))
  const pickled = await failure(small)
  assert.ok(pickled instanceof InvalidEncoder)
  assert.equal(pickled.found, "pytorch_model-00001-of-00002.bin")
})

test("pointers of Git LFS are told in every file", async () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 90868376\n`
  for (const [onnx, file] of [
    [false, "model.safetensors"],
    [false, "tokenizer.json"],
    [true, "onnx/model.onnx"],
  ] as const) {
    const folder = await copy({ onnx })
    await writeFile(join(folder, file), pointer)
    const error = await failure(folder)
    assert.ok("found" in error && "file" in error, error.message)
    assert.deepEqual(
      [error.file, error.found, "hint" in error && error.hint],
      [join(folder, file), "a pointer of Git LFS", "fetch the file itself: git lfs pull"],
    )
  }
})

test("pipes and devices are no files of a model, and are not waited for", async () => {
  for (const [onnx, file] of [
    [false, "config.json"],
    [false, "model.safetensors"],
    [true, "onnx/model.onnx"],
  ] as const) {
    for (const device of ["pipe", "/dev/zero"]) {
      const folder = await copy({ onnx })
      await rm(join(folder, file))
      if (device === "pipe") execFileSync("mkfifo", [join(folder, file)])
      else await symlink(device, join(folder, file))
      const error = await failure(folder)
      assert.match(error.message, /no regular file/)
      assert.equal("file" in error && error.file, join(folder, file))
    }
  }
})

test("external data that is a pipe ends in an error with its name", async () => {
  const folder = await copy({ onnx: true })
  const weight = float32([64, 64], new Float32Array(4096).fill(0.1))
  const g = new GraphBuilder()
  const graph = g.build({ y: g.matmul(g.input("x", "float32", [1, 64]), g.initializer("w", weight)) }, "m")
  const written = writeModelExternal(graph, { location: "model.onnx_data", largestFile: 1e9 })
  await writeFile(join(folder, "onnx/model.onnx"), written.model)
  execFileSync("mkfifo", [join(folder, "onnx/model.onnx_data")])
  for (const effect of [loadEncoder(folder), openModelFile(folder)]) {
    const error = await Effect.runPromise(Effect.flip<unknown, ModelError, never>(effect))
    assert.match(error.message, /model\.onnx_data .*no regular file/)
  }
})
