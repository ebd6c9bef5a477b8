// Whoever wrote a model's folder must not choose which files of the machine are read: links out of it.
import assert from "node:assert/strict"
import { cp, mkdir, mkdtemp, readdir, rename, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join, relative } from "node:path"
import { after, test } from "node:test"
import { float32, GraphBuilder, InvalidModel, writeModelExternal } from "@tandem/onnx"
import { Effect } from "effect"
import { InvalidEncoder, type ModelError } from "../../src/Errors.ts"
import { loadEncoder } from "../../src/node/LoadEncoder.ts"
import { openModelFile } from "../../src/node/OpenModelFile.ts"
import { goldenPath } from "../support/Golden.ts"

const scratch = await mkdtemp(join(tmpdir(), "links-"))
after(() => rm(scratch, { recursive: true, force: true }))

let copies = 0
const place = (): string => join(scratch, `${copies++}`)

const copy = async (target = place()): Promise<string> => {
  await cp(goldenPath("sentence-transformers-tiny"), target, { recursive: true })
  return target
}

/** Moves a file elsewhere and leaves a link. */
const linked = async (folder: string, file: string, elsewhere: string, isRelative = true): Promise<void> => {
  const from = join(folder, file)
  await mkdir(dirname(elsewhere), { recursive: true })
  await rename(from, elsewhere)
  await symlink(isRelative ? relative(dirname(from), elsewhere) : elsewhere, from)
}

const loaded = (folder: string) => Effect.runPromise(loadEncoder(folder))
const failure = <A>(effect: Effect.Effect<A, ModelError>) => Effect.runPromise(Effect.flip(effect))

const files = ["config.json", "tokenizer.json", "model.safetensors", "1_Pooling/config.json", "modules.json"]

for (const file of files) {
  test(`${file} that is a link out of the folder`, async () => {
    const folder = await copy()
    const elsewhere = join(place(), "secret")
    await linked(folder, file, elsewhere)
    const error = await failure(loadEncoder(folder))
    assert.ok(error instanceof InvalidEncoder, String(error))
    assert.match(error.message, /symbolic link out of the model's folder/)
    assert.equal(error.file, join(folder, file))
    assert.equal(error.found, elsewhere)
  })
}

test("links inside of the folder, and a folder that is itself a link, are followed", async () => {
  const folder = await copy()
  await linked(folder, "tokenizer.json", join(folder, "kept/tokenizer-of-others.json"))
  await linked(folder, "1_Pooling/config.json", join(folder, "pooling.json"))
  const link = place()
  await symlink(folder, link)
  assert.equal((await loaded(link)).pooling.mode, "mean")
})

/** Lays a model as Hugging Face's cache does. */
const hubCache = async (): Promise<{ readonly repository: string; readonly snapshot: string }> => {
  const repository = join(place(), "models--organisation--name")
  const snapshot = await copy(join(repository, "snapshots", "0".repeat(40)))
  for (const entry of await readdir(snapshot, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = relative(snapshot, join(entry.parentPath, entry.name))
    await linked(snapshot, file, join(repository, "blobs", file.replaceAll("/", "-")))
  }
  return { repository, snapshot }
}

test("the links of a hub's cache are followed", async () => {
  const { snapshot } = await hubCache()
  assert.equal((await loaded(snapshot)).pooling.mode, "mean")
})

test("links of a hub's cache into another model's blobs, or deeper, are not", async () => {
  for (const elsewhere of ["../models--other--name/blobs/config", "blobs/deeper/config", "refs/config", "../config"]) {
    const { repository, snapshot } = await hubCache()
    const target = join(repository, elsewhere)
    await mkdir(dirname(target), { recursive: true })
    await rename(join(repository, "blobs/config.json"), target)
    await rm(join(snapshot, "config.json"))
    await symlink(target, join(snapshot, "config.json"))
    const error = await failure(loadEncoder(snapshot))
    assert.match(error.message, /symbolic link out of the model's folder/, elsewhere)
  }
})

/** An ONNX model whose weights lie in a file beside it. */
const exported = async (): Promise<string> => {
  const folder = place()
  await mkdir(folder)
  const g = new GraphBuilder()
  const w = g.initializer("w", float32([2, 1024], new Float32Array(2048).fill(1)))
  const { model, files: data } = writeModelExternal(g.build({ y: g.matmul(g.input("x", "float32", [1, 2]), w) }), {
    location: "model.onnx_data",
  })
  await writeFile(join(folder, "model.onnx"), model)
  for (const [name, parts] of data) await writeFile(join(folder, name), parts)
  return folder
}

test("an ONNX model and its data are no links out of the folder either", async () => {
  for (const file of ["model.onnx", "model.onnx_data"]) {
    const folder = await exported()
    assert.equal((await Effect.runPromise(openModelFile(folder))).graph.initializers.size, 1)
    await linked(folder, file, join(place(), "elsewhere"))
    const error = await failure(openModelFile(folder))
    assert.ok(error instanceof InvalidModel, String(error))
    assert.equal(error.file, join(folder, file))
    assert.match(error.message, /symbolic link out of the model's folder/)
  }
})

test("a link that was named itself is followed, and its data lie beside it", async () => {
  const folder = await exported()
  await linked(folder, "model.onnx", join(place(), "elsewhere"), false)
  assert.equal((await Effect.runPromise(openModelFile(join(folder, "model.onnx")))).graph.initializers.size, 1)
})
