// Small models that once trained, or were saved, as something else than they are. Needs $TANDEM_DATA/cases.
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { storedSettings } from "@tandem/models"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { float32, readModel, toNumbers } from "@tandem/onnx"
import { fingerprint, makeTextEncoder, towerOf } from "@tandem/retriever"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { assertError, assertNothingWritten, type Expected } from "../support/AssertError.ts"
import { at } from "../support/Cases.ts"
import { scratchFolder, succeed, tandem } from "../support/Tandem.ts"

const scratch = scratchFolder()

const fixed = ["--warmup", "0", "--schedule", "constant", "--lr", "1e-3", "--dropout", "0", "--threads", "1"]

/** The arguments of the run that a case's README.txt states, and its folder. */
const caseRun = (name: string, ...flags: readonly string[]) => {
  const run = join(scratch, [name, ...flags].join("-").replaceAll("/", "_"))
  const files = ["--data", at(`${name}/train.jsonl`), "--corpus", at(`${name}/corpus.jsonl`)]
  const args = [
    ...["dpr", "train", "--batch-size", "5", "--epochs", "2", ...fixed, "--out", run, ...files],
    ...["--model", at(`${name}/model`), ...flags],
  ]
  return { run, args }
}

test("rope-dynamo: rotary frequencies are settings, and stay as they are", async () => {
  const { run, args } = caseRun("rope-dynamo")
  const events = await succeed(...args)
  const first = events.find(({ event }) => event === "step")
  assert.ok(Math.abs(first.gradNorm / 47.276380260418705 - 1) < 1e-4, `${first.gradNorm}`)
  const frequencies = (folder: string) => {
    const model = readModel(readFileSync(join(folder, "onnx/model.onnx")))
    return model.initializers.get("m.rotary_emb.inv_freq")?.data
  }
  assert.deepEqual(frequencies(join(run, "retriever")), frequencies(at("rope-dynamo/model")))
  const [report] = await succeed("inspect", at("rope-dynamo/model"))
  assert.deepEqual(
    report.settings.map(({ name }: { readonly name: string }) => name),
    ["m.rotary_emb.inv_freq"],
  )
})

const json = (...path: readonly string[]) => JSON.parse(readFileSync(join(...path), "utf8"))

/** What a case's run and its retriever say of similarity. */
const similarityOf = async (name: string, ...flags: readonly string[]) => {
  const { run, args } = caseRun(name, ...flags)
  await succeed(...args)
  const { similarity, temperature } = json(run, "config.json").retriever
  const modules: readonly { readonly type: string }[] = json(run, "retriever/modules.json")
  return {
    run: [similarity, temperature],
    saved: json(run, "retriever/config_sentence_transformers.json").similarity_fn_name,
    normalizes: modules.some(({ type }) => type.endsWith("Normalize")),
  }
}

test("similarity-cosine-without-normalize: the model's own similarity decides", async () => {
  const found = await similarityOf("similarity-cosine-without-normalize")
  assert.deepEqual(found, { run: ["cosine", 0.05], saved: "cosine", normalizes: false })
})

test("similarity-cosine-flag-not-saved: the similarity of a run is saved with the model", async () => {
  const cosine = await similarityOf("similarity-cosine-flag-not-saved", "--similarity", "cosine")
  assert.deepEqual(cosine, { run: ["cosine", 0.05], saved: "cosine", normalizes: false })
  const dot = await similarityOf("similarity-cosine-flag-not-saved", "--similarity", "dot")
  assert.deepEqual(dot, { run: ["dot", 1], saved: "dot", normalizes: false })
})

const embeddingOf = (folder: string, text: string): Promise<Float32Array> =>
  Effect.gen(function* () {
    const encode = yield* makeTextEncoder(towerOf(yield* loadEncoder(folder)))
    return yield* encode.encode([text], "query")
  }).pipe(Effect.scoped, Effect.provide(layer({ threads: 1 })), Effect.runPromise)

test("old-length-file, old-0_Transformer: folders of older sentence-transformers", async () => {
  const long = caseRun("old-length-file")
  await succeed(...long.args)
  assert.equal(json(long.run, "config.json").retriever.maxLength, 8)
  assert.equal(json(long.run, "retriever/sentence_bert_config.json").max_seq_length, 8)
  const { text, embedding } = json(at("old-length-file/expected.json"))
  const found = await embeddingOf(at("old-length-file/model"), text)
  for (const [index, value] of found.entries()) assert.ok(Math.abs(value - embedding[index]) < 1e-5)
  const old = caseRun("old-0_Transformer")
  await succeed(...old.args)
  assert.equal(json(old.run, "retriever/modules.json")[0].path, "")
})

/** The error that a case ends in before anything is written. */
const refused = async (name: string, expected: Expected) => {
  const { run, args } = caseRun(name)
  assertError(await tandem([...args, "--json"]), expected)
  assertNothingWritten(run)
}

test("adapter-only, lfs-pointer-safetensors: named for what they are", async () => {
  await refused("adapter-only", {
    tag: "InvalidEncoder",
    code: 3,
    file: at("adapter-only/model/adapter_config.json"),
    found: "adapters for acme/tiny-encoder",
    hint: /merge/,
  })
  await refused("lfs-pointer-safetensors", {
    tag: "InvalidSafetensors",
    code: 3,
    file: at("lfs-pointer-safetensors/model/model.safetensors"),
    found: "a pointer of Git LFS",
    hint: /git lfs pull/,
  })
})

test("onnx-static-shape, token-outside-table: refused as they are loaded", async () => {
  await refused("onnx-static-shape", {
    tag: "UnsupportedEncoder",
    code: 3,
    file: at("onnx-static-shape/model/onnx/model.onnx"),
    field: "input_ids",
    found: "[2,8]",
  })
  await refused("token-outside-table", {
    tag: "InvalidTokenizer",
    code: 3,
    file: at("token-outside-table/model/tokenizer.json"),
    message: /\[ROTH\] \(id 150\).*150/,
  })
})

test("onnx-int32-inputs: ids are converted", async () => {
  const { run, args } = caseRun("onnx-int32-inputs")
  await succeed(...args)
  const saved = readModel(readFileSync(join(run, "retriever/onnx/model.onnx")))
  assert.deepEqual(
    saved.inputs.map(({ type }) => type),
    ["int32", "int32", "int32"],
  )
})

test("another rotary frequency is another encoder, though no weight differs", async () => {
  const fingerprints = await Effect.gen(function* () {
    const encoder = yield* loadEncoder(at("rope-dynamo/model"))
    assert.ok(encoder.source.kind === "onnx")
    const { graph } = encoder.source
    const [name = ""] = storedSettings(graph).keys()
    const stored = graph.initializers.get(name)!
    const other = float32(
      stored.dims,
      toNumbers(stored).map((value) => 2 * value),
    )
    const initializers = new Map([...graph.initializers, [name, other]])
    const changed = { ...encoder, source: { ...encoder.source, graph: { ...graph, initializers } } }
    return [yield* fingerprint(towerOf(encoder)), yield* fingerprint(towerOf(changed))]
  }).pipe(Effect.provide(layer({ threads: 1 })), Effect.runPromise)
  assert.notEqual(fingerprints[0], fingerprints[1])
})
