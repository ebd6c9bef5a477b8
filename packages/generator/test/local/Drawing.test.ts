// Drawn texts, streams, stop texts, and inputs that cannot be used.
import assert from "node:assert/strict"
import { test } from "node:test"
import { type GenerateOptions, makeLocalGenerator } from "@tandem/generator"
import { Effect, Stream } from "effect"
import { goldenModel, onCpu } from "../support/Golden.ts"

const prompt = { ids: [44, 48, 60, 67, 3] }

test("one token is drawn as often as the softmax says, over 10,000 draws", async () => {
  const draws = 10_000
  const decoding = { kind: "sample", temperature: 0.7, sequences: draws, seed: 3 } as const
  const [texts = []] = await onCpu(
    Effect.gen(function* () {
      const { generate } = yield* makeLocalGenerator({ model: yield* goldenModel("llama", [2]) })
      return yield* generate([prompt], { decoding, maxTokens: 1 })
    }),
  )
  assert.equal(texts.length, draws)
  const counts = new Map<number, number>()
  const likelihoods = new Map<number, number>()
  for (const { ids, logprobs } of texts) {
    counts.set(ids[0]!, (counts.get(ids[0]!) ?? 0) + 1)
    likelihoods.set(ids[0]!, logprobs[0]!)
  }
  // p^(1/T), normalised by what was drawn: every token of 96 that has a share worth counting was.
  const weights = new Map([...likelihoods].map(([id, logprob]) => [id, Math.exp(logprob / 0.7)]))
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0)
  let chiSquared = 0
  let cells = 0
  for (const [id, weight] of weights) {
    const expected = (draws * weight) / total
    if (expected < 5) continue
    chiSquared += (counts.get(id)! - expected) ** 2 / expected
    cells++
  }
  // Mean of χ² is its degrees of freedom, deviation √(2 · them): five deviations above is beyond chance.
  assert.ok(cells > 10 && chiSquared < cells + 5 * Math.sqrt(2 * cells), `χ² ${chiSquared} over ${cells} cells`)
})

test("a seed gives the same texts, alone and beside others; another seed gives others", async () => {
  const options = (seed: number): GenerateOptions => ({ decoding: { kind: "sample", seed, topK: 20 }, maxTokens: 12 })
  const [alone, beside, another] = await onCpu(
    Effect.gen(function* () {
      const { generate } = yield* makeLocalGenerator({ model: yield* goldenModel("llama", [2]) })
      const others = [{ ids: [9] }, prompt, { ids: [5, 6, 7, 8, 9, 10, 11, 12] }]
      const [one] = yield* generate([prompt], options(1))
      const [, two] = yield* generate(others, options(1))
      const [three] = yield* generate([prompt], options(2))
      return [one, two, three].map((texts) => texts?.[0]?.ids)
    }),
  )
  assert.deepEqual(beside, alone)
  assert.notDeepEqual(another, alone)
})

test("the parts of a stream are the text, and their tokens its tokens", async () => {
  const { parts, whole } = await onCpu(
    Effect.gen(function* () {
      const { generate, stream } = yield* makeLocalGenerator({ model: yield* goldenModel("llama", [2, 48]) })
      const options = { maxTokens: 20 }
      const text = (yield* generate([prompt], options))[0]?.[0]
      return { whole: text!, parts: yield* Stream.runCollect(stream(prompt, options)) }
    }),
  )
  assert.equal(parts.map(({ text }) => text).join(""), whole.text)
  assert.deepEqual(
    parts.flatMap(({ ids }) => ids),
    whole.ids,
  )
  assert.deepEqual(
    parts.map(({ finish }) => finish),
    parts.map((_, index) => (index === parts.length - 1 ? whole.finish : undefined)),
  )
})

test("a text ends before a stop text, which no part of a stream shows", async () => {
  const { whole, stopped, parts } = await onCpu(
    Effect.gen(function* () {
      const { generate, stream } = yield* makeLocalGenerator({ model: yield* goldenModel("llama", []) })
      const text = (yield* generate([prompt], { maxTokens: 20 }))[0]?.[0]
      const stop = [text!.text.slice(8, 13), "never in it"]
      const short = (yield* generate([prompt], { maxTokens: 20, stop }))[0]?.[0]
      return { whole: text!, stopped: short!, parts: yield* Stream.runCollect(stream(prompt, { maxTokens: 20, stop })) }
    }),
  )
  assert.equal(stopped.finish, "stop")
  assert.equal(stopped.text, whole.text.slice(0, whole.text.indexOf(whole.text.slice(8, 13))))
  assert.equal(parts.map(({ text }) => text).join(""), stopped.text)
  assert.ok(stopped.ids.length < whole.ids.length)
})

const refusals: readonly (readonly [
  name: string,
  tag: string,
  found: string,
  options: GenerateOptions,
  ids?: readonly number[],
])[] = [
  ["no beams", "InvalidGeneration", "0", { decoding: { kind: "beam", beams: 0 } }],
  ["more sequences than beams", "InvalidGeneration", "3", { decoding: { kind: "beam", beams: 2, sequences: 3 } }],
  ["a temperature of 0", "InvalidGeneration", "0", { decoding: { kind: "sample", temperature: 0 } }],
  ["a share above 1", "InvalidGeneration", "1.5", { decoding: { kind: "sample", topP: 1.5 } }],
  ["no tokens to write", "InvalidGeneration", "0", { maxTokens: 0 }],
  ["an empty stop text", "InvalidGeneration", '[""]', { stop: [""] }],
  ["a prompt without tokens", "InvalidPrompt", "", {}, []],
  ["a prompt beyond the model's positions", "InvalidPrompt", "5 and an answer of 100000", { maxTokens: 100_000 }],
]
test("inputs and options that cannot be used are refused", async () => {
  const errors = await onCpu(
    Effect.gen(function* () {
      const { generate } = yield* makeLocalGenerator({ model: yield* goldenModel("llama", [2]) })
      return yield* Effect.forEach(refusals, ([, , , options, ids = prompt.ids]) =>
        Effect.flip(generate([{ ids }], options)),
      )
    }),
  )
  assert.deepEqual(
    errors.map((error, index) => [refusals[index]![0], error._tag, "found" in error ? `${error.found ?? ""}` : ""]),
    refusals.map(([name, tag, found]) => [name, tag, found]),
  )
})

test("a conversation needs a chat template, an answer a token that ends it, and a stream no beams", async () => {
  const errors = await onCpu(
    Effect.gen(function* () {
      const { generate, score, stream } = yield* makeLocalGenerator({ model: yield* goldenModel("llama", []) })
      const decoding = { kind: "beam", beams: 2 } as const
      return [
        yield* Effect.flip(generate([[{ role: "user", content: "hello" }]])),
        yield* Effect.flip(score([{ prompts: [prompt], answer: "the river" }])),
        yield* Effect.flip(score([{ prompts: [prompt], answer: { ids: [] } }])),
        yield* Effect.flip(Stream.runCollect(stream(prompt, { decoding }))),
      ]
    }),
  )
  assert.deepEqual(
    errors.map(({ _tag, message }) => [_tag, message]),
    [
      ["InvalidPrompt", "the tokenizer has no chat template, so it cannot lay out a conversation"],
      ["InvalidPrompt", "the model has no token that ends a text"],
      ["InvalidPrompt", "an answer has no tokens"],
      ["InvalidGeneration", "beam search writes its text at the end"],
    ],
  )
})
