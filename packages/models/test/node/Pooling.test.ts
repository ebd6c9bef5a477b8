import assert from "node:assert/strict"
import { test } from "node:test"
import { float32, type Graph, GraphBuilder, int64, type Tensor, toNumbers } from "@tandem/onnx"
import { bertConfig, pickBertWeights } from "../../src/encoder/Bert.ts"
import { bertGraph, bertInferenceGraph, bertInputs } from "../../src/encoder/BertGraph.ts"
import type { Pooling } from "../../src/encoder/Encoder.ts"
import { normalize, pool, pooledGraph, withPooling } from "../../src/encoder/Pooling.ts"
import { encoderInputs, makeTokenizer } from "../../src/tokenizer/Tokenizer.ts"
import { execute } from "../support/Embed.ts"
import { goldenJson, goldenTensors, largestDifference } from "../support/Golden.ts"

const hidden = float32([2, 3, 2], [1, -2, 3, 4, 50, 60, -1, -2, 70, 80, 90, 10])
const mask = int64([2, 3], [1, 1, 0, 1, 0, 0])

const pooled = async (mode: Pooling["mode"], values: Tensor = mask, normalized = false): Promise<number[]> => {
  const g = new GraphBuilder()
  const h = g.input("hidden", "float32", [2, 3, 2])
  const m = g.input("mask", "int64", [2, 3])
  const graph = g.build({ out: pool(g, h, m, { mode, normalize: normalized }) })
  assert.deepEqual(graph.outputs[0]?.dims, [2, 2])
  return toNumbers((await execute(graph, { hidden, mask: values }))["out"]!)
}

test("each mode reads real tokens alone", async () => {
  assert.deepEqual(await pooled("mean"), [2, 1, -1, -2])
  assert.deepEqual(await pooled("cls"), [1, -2, -1, -2])
  assert.deepEqual(await pooled("max"), [3, 4, -1, -2])
  assert.deepEqual(await pooled("last"), [3, 4, -1, -2])
})

test("the last token is the last real one with padding on either side", async () => {
  assert.deepEqual(await pooled("last", int64([2, 3], [0, 1, 1, 1, 1, 0])), [50, 60, 70, 80])
  assert.deepEqual(await pooled("last", int64([2, 3], [1, 1, 1, 0, 0, 1])), [50, 60, 90, 10])
})

test("a row without real tokens gives zeros under the mean, normalised or not", async () => {
  const empty = int64([2, 3], [0, 0, 0, 1, 1, 1])
  assert.deepEqual((await pooled("mean", empty)).slice(0, 2), [0, 0])
  assert.deepEqual((await pooled("mean", empty, true)).slice(0, 2), [0, 0])
})

test("rows are scaled to unit length as F.normalize does it", async () => {
  const g = new GraphBuilder()
  const graph = g.build({ out: normalize(g, g.input("x", "float32", [3, 2])) })
  const { out } = await execute(graph, { x: float32([3, 2], [3, -4, 0, 0, 1e-13, 0]) })
  const values = toNumbers(out!)
  for (const [index, expected] of [0.6, -0.8, 0, 0, 0.1, 0].entries()) {
    assert.ok(Math.abs(values[index]! - expected) < 1e-6, `${values}`)
  }
})

const folder = "sentence-transformers-tiny"
const golden = goldenJson(`${folder}/embeddings.json`)
const config = bertConfig(goldenJson(`${folder}/config.json`))
const { parameters } = pickBertWeights(config, goldenTensors(`${folder}/model.safetensors`))
const tokenizer = makeTokenizer({
  tokenizer: goldenJson(`${folder}/tokenizer.json`),
  config: goldenJson(`${folder}/tokenizer_config.json`),
})

const embed = async (texts: readonly string[], make: (rows: number, tokens: number) => Graph) => {
  const batch = tokenizer.encodeBatch(texts, { maxLength: golden.maxLength })
  const weights = Object.fromEntries(parameters)
  const graph = make(batch.rows, batch.tokens)
  const named = graph.inputs.some(({ name }) => name in weights) ? weights : {}
  const out = await execute(graph, { ...encoderInputs(batch, bertInputs(config)), ...named })
  return out["sentence_embedding"]
}

for (const mode of ["mean", "cls"] as const) {
  for (const normalize of [true, false]) {
    const pooling = { mode, normalize }
    const values: number[][] = golden.byPooling[mode][normalize ? "normalized" : "raw"]
    const expected = float32([values.length, 32], values.flat())
    test(`${mode}${normalize ? ", normalised" : ""}: sentence-transformers' embeddings`, async () => {
      const fixed = await embed(
        golden.sentences,
        (batch, tokens) => withPooling(bertGraph(config, { batch, tokens }), pooling).graph,
      )
      assert.ok(largestDifference(fixed, expected) < 1e-5)
      const free = await embed(golden.sentences, () => pooledGraph(bertInferenceGraph(config, parameters), pooling))
      assert.ok(largestDifference(free, expected) < 1e-5)
    })
  }
}

test("prompts change the embeddings as sentence-transformers' do", async () => {
  const pooling = { mode: "mean", normalize: true } as const
  for (const [prompt, key] of [
    ["query", "queryEmbeddings"],
    ["document", "documentEmbeddings"],
  ] as const) {
    const texts = golden.sentences.map((text: string) => golden.prompts[prompt] + text)
    const out = await embed(texts, (batch, tokens) => withPooling(bertGraph(config, { batch, tokens }), pooling).graph)
    assert.ok(largestDifference(out, float32([texts.length, 32], golden[key].flat())) < 1e-5)
  }
})
