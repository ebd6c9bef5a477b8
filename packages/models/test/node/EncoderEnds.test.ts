// What an ONNX encoder takes and gives is checked as it is loaded.
import assert from "node:assert/strict"
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { type ElementType, float32, type Graph, int, readModel, writeModel } from "@tandem/onnx"
import { Effect } from "effect"
import { InvalidTokenizer, UnsupportedEncoder } from "../../src/Errors.ts"
import { loadEncoder } from "../../src/node/LoadEncoder.ts"
import { embed, embedInAnyShape, withRuntime } from "../support/Embed.ts"
import { goldenBytes, goldenJson, goldenPath, largestDifference } from "../support/Golden.ts"

const scratch = await mkdtemp(join(tmpdir(), "ends-"))
after(() => rm(scratch, { recursive: true, force: true }))

const golden = goldenJson("sentence-transformers-tiny/embeddings.json")
const sentences: readonly string[] = golden.sentences
const expected = float32([sentences.length, 32], golden.embeddings.flat())

let folders = 0

/** The fixture as an ONNX directory, its graph changed. */
const directoryOf = async (change: (graph: Graph) => Graph): Promise<string> => {
  const folder = join(scratch, `${folders++}`)
  await cp(goldenPath("sentence-transformers-tiny"), folder, { recursive: true })
  await rm(join(folder, "model.safetensors"))
  await mkdir(join(folder, "onnx"))
  await writeFile(join(folder, "onnx/model.onnx"), writeModel(change(readModel(goldenBytes("bert-tiny/dynamo.onnx")))))
  return folder
}

/** The graph with inputs of other types, which it converts to int64 itself. */
const taking =
  (types: Readonly<Record<string, ElementType>>) =>
  (graph: Graph): Graph => ({
    ...graph,
    inputs: graph.inputs.map((input) => ({ ...input, type: types[input.name] ?? input.type })),
    nodes: [
      ...Object.keys(types).map((name) => ({
        op: "Cast",
        domain: "",
        name: `wide.${name}`,
        inputs: [name],
        outputs: [`wide.${name}`],
        attributes: { to: int(7) },
      })),
      ...graph.nodes.map((node) => ({
        ...node,
        inputs: node.inputs.map((name) => (name in types ? `wide.${name}` : name)),
      })),
    ],
  })

test("ids of 32 bits and masks of floats are converted, and embeddings stay", async () => {
  for (const types of [
    { input_ids: "int32", attention_mask: "int32", token_type_ids: "int32" },
    { attention_mask: "float32" },
    { attention_mask: "bool" },
  ] as const) {
    const encoder = await Effect.runPromise(loadEncoder(await directoryOf(taking(types))))
    const found = await withRuntime(Effect.all([embed(encoder, sentences), embedInAnyShape(encoder, sentences)]))
    for (const each of found) assert.ok(largestDifference(each, expected) < 1e-5, JSON.stringify(types))
  }
})

const refusal = async (folder: string) => {
  const error = await Effect.runPromise(Effect.flip(loadEncoder(folder)))
  assert.ok(error instanceof UnsupportedEncoder)
  assert.equal(error.file, join(folder, "onnx/model.onnx"))
  return { field: error.field, found: error.found }
}

test("ids of floats, fixed shapes and heads are refused with file and value", async () => {
  const floats = await directoryOf(taking({ input_ids: "float32" }))
  assert.deepEqual(await refusal(floats), { field: "input_ids", found: "input_ids float32[batch,sequence]" })
  const fixed = await directoryOf((graph) => ({
    ...graph,
    inputs: graph.inputs.map((input) => (input.name === "attention_mask" ? { ...input, dims: ["batch", 16] } : input)),
  }))
  assert.deepEqual(await refusal(fixed), { field: "attention_mask", found: "[batch,16]" })
  const head = await directoryOf((graph) => {
    const [states] = graph.outputs
    return {
      ...graph,
      outputs: [{ name: "logits", type: "float32", dims: ["batch", "sequence", 5] }],
      nodes: [
        ...graph.nodes,
        {
          op: "MatMul",
          domain: "",
          name: "head",
          inputs: [states!.name, "head.weight"],
          outputs: ["logits"],
          attributes: {},
        },
      ],
      initializers: new Map([
        ...graph.initializers,
        ["head.weight", float32([32, 5], new Float32Array(160).fill(0.1))],
      ]),
    }
  })
  assert.deepEqual(await refusal(head), { field: "last_hidden_state", found: "[batch, sequence, 5]" })
  const pooled = await directoryOf((graph) => ({
    ...graph,
    outputs: graph.outputs.map((value) => ({ ...value, name: value.name, dims: ["batch", 32] })),
  }))
  assert.match((await refusal(pooled)).found ?? "", /float32\[batch,32\]/)
})

test("a token without a row in the table is refused with its id, in exports and in safetensors", async () => {
  const onnx = await directoryOf((graph) => graph)
  const weights = join(scratch, "weights")
  await cp(goldenPath("sentence-transformers-tiny"), weights, { recursive: true })
  for (const folder of [onnx, weights]) {
    const file = join(folder, "tokenizer.json")
    const tokenizer = JSON.parse(await readFile(file, "utf8"))
    const { vocabularySize: id } = (await Effect.runPromise(loadEncoder(folder))).config
    const added = { id, content: "[NEW]", special: false, single_word: false, lstrip: false, rstrip: false }
    tokenizer.added_tokens.push({ ...added, normalized: false })
    await writeFile(file, JSON.stringify(tokenizer))
    const error = await Effect.runPromise(Effect.flip(loadEncoder(folder)))
    assert.ok(error instanceof InvalidTokenizer)
    assert.deepEqual([error.file, error.field, error.found], [file, "[NEW]", `${id}`])
  }
})
