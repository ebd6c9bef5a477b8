import assert from "node:assert/strict"
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { tensorLocations } from "@tandem/onnx"
import { makeTextEncoder, towerOf } from "@tandem/retriever"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { fewPassages, writeOwn } from "../support/FewExamples.ts"
import { golden, jsonLines, losses, scratchFolder, start, trained } from "../support/Tandem.ts"

const scratch = scratchFolder()
const { data, corpus } = writeOwn(scratch)
const texts = fewPassages.slice(0, 5).map(({ text }) => text)

/** An ONNX directory as transformers.js lays it out. */
const onnxDirectory = async (model: string): Promise<string> => {
  const directory = join(scratch, model)
  await cp(golden("sentence-transformers-tiny"), directory, { recursive: true })
  await rm(join(directory, "model.safetensors"))
  await mkdir(join(directory, "onnx"))
  await cp(golden(`bert-tiny/${model}.onnx`), join(directory, "onnx/model.onnx"))
  await writeFile(join(directory, "README.md"), "a model")
  return directory
}

/** `[texts, dimension]` by our own encoder, without the prompts, which transformers.js does not know. */
const ourEmbeddings = (directory: string, precision: "fp32" | "q8" = "fp32"): Promise<Float32Array> =>
  Effect.gen(function* () {
    const encoder = yield* loadEncoder(directory, { prompts: { query: "", passage: "" } })
    const made = yield* makeTextEncoder(towerOf(encoder), { precision })
    return yield* made.encode(
      texts.map((text, index) => ({ id: `${index}`, text })),
      "passage",
    )
  }).pipe(Effect.scoped, Effect.provide(layer({ threads: 1 })), Effect.runPromise)

const theirEmbeddings = async (directory: string, dtype: "fp32" | "q8"): Promise<readonly number[]> => {
  const script = fileURLToPath(new URL("../support/transformers.mjs", import.meta.url))
  const request = { directory, texts, dtype, pooling: "mean", normalize: true }
  const ended = await start([process.execPath, script, JSON.stringify(request)])
  assert.equal(ended.code, 0, ended.stderr)
  return jsonLines(ended)[0].data
}

const bytesOf = async (directory: string): Promise<Uint8Array> =>
  new Uint8Array(await readFile(join(directory, "onnx/model.onnx")))

for (const model of ["dynamo", "script"]) {
  test(`an ONNX directory (${model}) is trained: only its weights' bytes change, and transformers.js loads it`, async () => {
    const directory = await onnxDirectory(model)
    const original = await bytesOf(directory)
    const run = join(scratch, `${model}-run`)
    const events = await trained(
      ...["--data", data, "--corpus", corpus, "--model", directory, "--out", run],
      ...["--batch-size", "3", "--epochs", "2", "--lr", "1e-2"],
    )
    assert.equal(losses(events).length, 4)
    assert.ok(
      events.some(({ event, message }) => event === "warning" && /ONNX.*no dropout/.test(message)),
      "no warning about missing dropout",
    )
    assert.deepEqual(await bytesOf(directory), original, "the model that training started from was touched")

    const { parameters } = await Effect.runPromise(loadEncoder(directory))
    const retriever = join(run, "retriever")
    const [before, after] = [original, await bytesOf(retriever)]
    const kept = new Set<string>()
    const changed = new Set<string>()
    for (const [name, { ranges }] of tensorLocations(before)) {
      if (!parameters.has(name)) continue
      const same = ranges.every(
        ({ start, end }) => before.subarray(start, end).join() === after.subarray(start, end).join(),
      )
      ;(same ? kept : changed).add(name)
      for (const bytes of [before, after]) for (const { start, end } of ranges) bytes.fill(0, start, end)
    }
    assert.deepEqual(after, before, "something else than weights changed")
    assert.deepEqual([...kept], [], "weights that training left alone")
    assert.equal(changed.size, parameters.size)

    const files = await readdir(retriever, { recursive: true })
    for (const file of [
      "README.md",
      "config.json",
      "tokenizer.json",
      "modules.json",
      join("1_Pooling", "config.json"),
    ]) {
      assert.ok(files.includes(file), `${file} was not taken over`)
    }
    const ours = await ourEmbeddings(retriever)
    const untrained = await ourEmbeddings(directory)
    const distance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
      Math.max(...Array.from(a, (value, index) => Math.abs(value - (b[index] ?? Number.NaN))))
    assert.ok(distance(ours, untrained) > 1e-3, "training changed no embedding")
    assert.ok(distance(await theirEmbeddings(retriever, "fp32"), ours) < 1e-4)
    const q8 = await theirEmbeddings(retriever, "q8")
    assert.ok(distance(q8, ours) < 0.2)
    const ourQ8 = await ourEmbeddings(retriever, "q8")
    assert.ok(distance(q8, ourQ8) < 1e-3, `${distance(q8, ourQ8)}`)
    assert.ok(distance(ourQ8, ours) > 1e-3, "weights of 8 bits are others")
  })
}
