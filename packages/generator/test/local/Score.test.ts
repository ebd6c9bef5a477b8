// Likelihoods of answers: shared beginnings, batches, chosen graphs and weights change nothing but the time.
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { addLora, initialAdapters } from "@tandem/autodiff"
import { type ModelInput, makeLocalGenerator, type ScoreRequest } from "@tandem/generator"
import { decoderInferenceGraph, makeTokenizer, onnxDecoder, tinyDecoder, trainWordPiece } from "@tandem/models"
import { loadDecoder } from "@tandem/models/node/LoadDecoder"
import { type Graph, readModel, toNumbers } from "@tandem/onnx"
import { type Feed, Runtime } from "@tandem/runtime"
import { readSafetensors } from "@tandem/safetensors"
import { Effect, Stream } from "effect"
import { goldenModel, goldenPath, onCpu } from "../support/Golden.ts"

const question = [11, 42, 7, 30, 9, 55, 23, 8]
const passages = [[40, 41, 12], [60], [5, 6, 7, 13, 14, 15], [70, 71]]
const answer = { ids: [33, 21, 2] }
const together: ScoreRequest = { prompts: passages.map((passage) => ({ ids: [...question, ...passage] })), answer }
const other: ScoreRequest = { prompts: [{ ids: [3, 4] }], answer: { ids: [9] } }

const close = (found: number | undefined, expected: number | undefined, tolerance = 1e-4): void => {
  assert.ok(Math.abs((found ?? Number.NaN) - (expected ?? Number.NaN)) < tolerance, `${found}, not ${expected}`)
}

test("a decoder's likelihood is that of its logits, token by token", async () => {
  const reference = readSafetensors(
    new Uint8Array(readFileSync(goldenPath("decoders/llama/reference.safetensors"))),
  ).tensors
  const ids = toNumbers(reference.get("in.input_ids")!)
  const logits = reference.get("logits")!
  const [, tokens = 0, vocabulary = 0] = logits.dims
  const row = ids.slice(0, tokens)
  const scores = await onCpu(
    Effect.gen(function* () {
      const { score } = yield* makeLocalGenerator({ model: yield* goldenModel("llama", [2]) })
      return yield* score([{ prompts: [{ ids: row.slice(0, 3) }], answer: { ids: row.slice(3) } }])
    }),
  )
  const found = scores[0]?.[0]
  const expected = row.slice(3).map((id, index) => {
    const at = [...logits.data.slice((index + 2) * vocabulary, (index + 3) * vocabulary)].map(Number)
    return at[id]! - Math.log(at.reduce((sum, logit) => sum + Math.exp(logit), 0))
  })
  assert.equal(found?.perToken.length, expected.length)
  for (const [index, each] of expected.entries()) close(found?.perToken[index], each)
  close(
    found?.logprob,
    expected.reduce((sum, each) => sum + each, 0),
  )
})

for (const name of ["llama", "gpt2", "mistral", "gemma2", "smollm3", "t5", "bart"]) {
  test(`${name}: prompts with a common beginning score as each by itself`, async () => {
    const { all, alone } = await onCpu(
      Effect.gen(function* () {
        const { score } = yield* makeLocalGenerator({ model: yield* goldenModel(name, [2]) })
        const each = together.prompts.map((prompt) => ({ prompts: [prompt], answer }))
        return {
          all: yield* score([together, other, together]),
          alone: yield* Effect.forEach(each, (one) => score([one])),
        }
      }),
    )
    for (const [index, scores] of alone.entries()) {
      close(all[0]?.[index]?.logprob, scores[0]?.[0]?.logprob)
      close(all[2]?.[index]?.logprob, scores[0]?.[0]?.logprob)
    }
    assert.equal(all[1]?.length, 1)
  })
}

test("rows of several requests share runs by their lengths, and each keeps its own beginning", async () => {
  const begin = (ids: readonly number[], lengths: readonly number[]): ScoreRequest => ({
    prompts: lengths.map((length) => ({ ids: [...ids, ...Array.from({ length }, (_, at) => 3 + ((7 * at) % 50))] })),
    answer,
  })
  const requests = [
    begin([5, 6, 7, 8, 9], [9, 1, 4]),
    begin([20, 21, 22], [2, 8, 3]),
    begin([30, 31, 32, 33], [5, 5, 9]),
  ]
  const { all, alone } = await onCpu(
    Effect.gen(function* () {
      const model = yield* goldenModel("llama", [2])
      // Room for two or three rows in a run, and for all beginnings in one.
      const { score } = yield* makeLocalGenerator({ model, places: 30 })
      const single = yield* makeLocalGenerator({ model })
      return {
        all: yield* score(requests),
        alone: yield* Effect.forEach(requests, ({ prompts }) =>
          Effect.forEach(prompts, (prompt) => single.score([{ prompts: [prompt], answer }])),
        ),
      }
    }),
  )
  for (const [index, rows] of alone.entries()) {
    for (const [row, scores] of rows.entries()) close(all[index]?.[row]?.logprob, scores[0]?.[0]?.logprob)
  }
})

test("an answer beyond an encoder-decoder's table of positions is refused, written or scored", async () => {
  const errors = await onCpu(
    Effect.gen(function* () {
      const model = yield* goldenModel("bart", [2])
      assert.ok(model.kind === "seq2seq" && model.config.positions.kind === "absolute")
      const { count } = model.config.positions
      const { generate, score, stream } = yield* makeLocalGenerator({ model })
      const prompt = { ids: [5, 6, 7] }
      const long = { ids: Array.from({ length: count }, () => 7) }
      return [
        yield* Effect.flip(generate([prompt], { maxTokens: count + 1 })),
        yield* Effect.flip(Stream.runDrain(stream(prompt, { maxTokens: count + 1 }))),
        yield* Effect.flip(score([{ prompts: [prompt], answer: long }])),
      ]
    }),
  )
  assert.deepEqual(
    errors.map(({ _tag }) => _tag),
    ["InvalidGeneration", "InvalidGeneration", "InvalidPrompt"],
  )
})

test("a text that answers a conversation ends as the chat template has it, any other as the tokenizer has it", async () => {
  const vocabulary = trainWordPiece(["the river was long", "how long"], { vocabularySize: 60 })
  const base = tinyDecoder({ seed: 1, vocabulary, maxLength: 64, hidden: 16, layers: 1, heads: 2, intermediate: 32 })
  const [turn, own, first] = ["[MASK]", "[SEP]", "[CLS]"].map((token) => base.tokenizer.tokenId(token)!)
  const tokenizer = makeTokenizer({
    tokenizer: base.tokenizer.files.tokenizer,
    config: { ...base.tokenizer.files.config, eos_token: "[SEP]" },
    chatTemplate: "{% for m in messages %}{{ m.content }}[MASK]{% endfor %}",
  })
  const model = { ...base, tokenizer, endTokenIds: [first!, own!, turn!] }
  const lengths = await onCpu(
    Effect.gen(function* () {
      const { score } = yield* makeLocalGenerator({ model })
      const words = tokenizer.encode("the river", { specialTokens: false }).ids
      const scored = (prompt: ModelInput, answer: ScoreRequest["answer"]) =>
        Effect.map(score([{ prompts: [prompt], answer }]), (found) => found[0]?.[0]?.logprob)
      const chat = [{ role: "user", content: "how long" }]
      return [
        [yield* scored(chat, "the river"), yield* scored(chat, { ids: [...words, turn!] })],
        [yield* scored("how long", "the river"), yield* scored("how long", { ids: [...words, own!] })],
      ]
    }),
  )
  for (const [found, expected] of lengths) close(found, expected, 1e-6)
})

const exported = (file: string): Graph => readModel(new Uint8Array(readFileSync(goldenPath(`exports/${file}.onnx`))))

test("files with a cache, with operators that count columns and without a cache write and score alike", async () => {
  const prompts = [{ ids: [5, 6, 7, 8] }, { ids: [9, 10] }, { ids: [3, 10, 12] }]
  const results = await onCpu(
    Effect.gen(function* () {
      const { tokenizer } = yield* loadDecoder(goldenPath("decoders/llama"))
      return yield* Effect.forEach(["llama/optimum", "llama/contrib-gqa", "llama/contrib-gqa-packed"], (file) =>
        Effect.scoped(
          Effect.gen(function* () {
            const huggingFace = { vocab_size: 64 }
            const model = onnxDecoder({
              graph: exported(file),
              tokenizer,
              huggingFace,
              directory: ".",
              modelFile: file,
            })
            const { generate, score } = yield* makeLocalGenerator({ model })
            const texts = yield* generate(prompts, { maxTokens: 10 })
            const answers = texts.map(([one], index) => ({ prompts: [prompts[index]!], answer: { ids: one!.ids } }))
            return { texts, scores: yield* score(answers) }
          }),
        ),
      )
    }),
  )
  for (const { texts, scores } of results) {
    assert.deepEqual(
      texts.map(([one]) => one?.ids),
      results[0]!.texts.map(([one]) => one?.ids),
    )
    for (const [index, [one]] of texts.entries()) close(scores[index]?.[0]?.logprob, one?.score)
  }
})

for (const name of ["llama", "gpt2", "mistral", "gemma2"]) {
  test(`${name}: what is saved for others writes and scores as the weights do`, async () => {
    const prompts = [{ ids: [5, 6, 7, 8] }, { ids: [9, 10] }, { ids: [3, 10, 12] }]
    const [built, read] = await onCpu(
      Effect.gen(function* () {
        const model = yield* goldenModel(name, [2])
        if (model.kind !== "decoder" || model.config === undefined) return yield* Effect.die("no decoder")
        const { tokenizer, source, config, parameters } = model
        const graph = decoderInferenceGraph(config, parameters)
        const huggingFace = { ...source.huggingFace, eos_token_id: 2 }
        const file = onnxDecoder({ graph, tokenizer, huggingFace, directory: ".", modelFile: "model.onnx" })
        return yield* Effect.forEach([model, file], (each) =>
          Effect.scoped(
            Effect.gen(function* () {
              const { generate, score } = yield* makeLocalGenerator({ model: each })
              return { texts: yield* generate(prompts, { maxTokens: 12 }), scores: yield* score([together]) }
            }),
          ),
        )
      }),
    )
    assert.deepEqual(
      read?.texts.map(([one]) => one?.ids),
      built?.texts.map(([one]) => one?.ids),
    )
    for (const [index, one] of built!.scores[0]!.entries()) close(read?.scores[0]?.[index]?.logprob, one.logprob)
  })
}

test("resident weights are read where they are, and adapters are part of the model", async () => {
  const settings = { rank: 2, alpha: 4, targets: ["q_proj", "down_proj"] }
  const { before, adapted, changed, restored } = await onCpu(
    Effect.gen(function* () {
      const runtime = yield* Runtime
      const model = yield* goldenModel("llama", [2])
      const { adapters } = addLora((yield* model.decoding).graph, settings)
      const values = initialAdapters(adapters, 0)
      const weights: Record<string, Feed> = {}
      for (const [key, value] of [...model.parameters, ...values]) weights[key] = yield* runtime.upload(value)
      const adapt = (graph: Graph): Graph => addLora(graph, settings).graph
      const plain = yield* makeLocalGenerator({ model, weights })
      const { score } = yield* makeLocalGenerator({ model, weights, adapt })
      const likelihood = (of: typeof score) => Effect.map(of([together]), ([scores]) => scores![0]!.logprob)
      const found = { before: yield* likelihood(plain.score), adapted: yield* likelihood(score) }
      const b = weights[adapters[0]!.b]!
      if (!("id" in b)) return yield* Effect.die("not resident")
      const size = b.dims.reduce((product, dim) => product * dim, 1)
      yield* runtime.write(b, { type: "float32", dims: b.dims, data: new Float32Array(size).fill(0.5) })
      const moved = { changed: yield* likelihood(score), restored: yield* likelihood(plain.score) }
      return { ...found, ...moved }
    }),
  )
  close(adapted, before, 1e-6)
  assert.ok(Math.abs(changed - before) > 1e-3, `${changed} and ${before}`)
  assert.equal(restored, before)
})

test("a request without prompts has no scores", async () => {
  const scores = await onCpu(
    Effect.gen(function* () {
      const { score } = yield* makeLocalGenerator({ model: yield* goldenModel("llama", [2]) })
      return yield* score([{ prompts: [], answer }, other])
    }),
  )
  assert.deepEqual(
    scores.map(({ length }) => length),
    [0, 1],
  )
})
