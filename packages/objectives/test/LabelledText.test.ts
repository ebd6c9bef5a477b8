// Texts that a model learns parts of: what is a label, and that the loss of a batch is that of the labels alone.
import assert from "node:assert/strict"
import { test } from "node:test"
import type { InstructionExample } from "@tandem/datasets"
import { makeLocalGenerator, makePrompts } from "@tandem/generator"
import { makeTokenizer, tinyDecoder, trainWordPiece } from "@tandem/models"
import {
  type LabelledText,
  labelledTexts,
  type PreparedQuestion,
  type RaltBatch,
  raltBatches,
  raltProgram,
} from "@tandem/objectives"
import { jointName, toNumbers } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"

const files = trainWordPiece(
  ["who owns the house ?", "anna owns it", "and the boat ?", "ben owns the boat", "a b c d e"],
  { vocabularySize: 80 },
)
const sizes = { hidden: 16, layers: 1, heads: 2, intermediate: 32, maxLength: 96 }
const plain = tinyDecoder({ seed: 3, vocabulary: files, ...sizes })
const chat = {
  ...plain,
  tokenizer: makeTokenizer({
    ...files,
    chatTemplate:
      "{% for m in messages %}{{ m.role[0] }} {{ m.content }}[SEP]{% endfor %}{% if add_generation_prompt %}a {% endif %}",
  }),
}
const template = { kind: "text", text: "{context} {query} {response}" } as const
const promptsOf = (model: typeof plain) => makePrompts(model, { template, maxPrompt: 48, maxAnswer: 16 })

const conversation: InstructionExample = {
  kind: "messages",
  id: "c",
  weight: 2,
  messages: [
    { role: "user", content: "who owns the house ?", trained: false },
    { role: "assistant", content: "anna owns it", trained: true },
    { role: "user", content: "and the boat ?", trained: false },
    { role: "assistant", content: "a b c", trained: false },
    { role: "user", content: "and the boat ?", trained: false },
    { role: "assistant", content: "ben owns the boat", trained: true },
  ],
}
const segments: InstructionExample = {
  kind: "segments",
  id: "s",
  segments: [
    { text: "a b", trained: true },
    { text: " the house", trained: false },
    { text: " anna[SEP]", trained: true },
    { text: " boat", trained: false },
  ],
}
const textsOf = (model: typeof plain, examples: readonly InstructionExample[]) =>
  Effect.runPromise(labelledTexts(model, promptsOf(model), examples))

/** What is learned of a text, and how many tokens of it end texts. */
const learned = ({ answer, labels }: LabelledText) => {
  const ids = answer.filter((_, at) => labels[at])
  return { said: chat.tokenizer.decode(ids), ends: ids.filter((id) => chat.endTokenIds.includes(id)).length }
}

test("turns and segments that are trained are labels, with what ends them, and nothing else", async () => {
  const { texts, warnings } = await textsOf(chat, [conversation, segments])
  assert.deepEqual(warnings, [])
  const [turns, pieces] = texts
  assert.ok(turns !== undefined && pieces !== undefined)
  assert.deepEqual(learned(turns), { said: "anna owns it ben owns the boat", ends: 2 })
  assert.equal(turns.weight, 2)
  // The first token has nothing that predicts it.
  assert.deepEqual(learned(pieces), { said: "b anna", ends: 1 })
})

test("a question alone is asked by the run's template where a model has no chat template; more is left out and told", async () => {
  const single: InstructionExample = { ...conversation, messages: conversation.messages.slice(0, 2) }
  const { texts, warnings } = await textsOf(plain, [single, conversation])
  assert.equal(texts.length, 1)
  assert.deepEqual(texts[0]?.prompt, promptsOf(plain).prompt("who owns the house ?", []).ids)
  assert.deepEqual(texts[0]?.answer, promptsOf(plain).answer("anna owns it").ids)
  assert.match(warnings[0] ?? "", /^1 of 2 instructions were left out: .*no chat template/)
  const long: InstructionExample = { ...segments, segments: [{ text: "a b c d e ".repeat(40), trained: true }] }
  await assert.rejects(textsOf(plain, [long]), { _tag: "InvalidPrompt", expected: "at most 64 tokens" })
})

const question: PreparedQuestion = {
  ...{ id: "q", query: "who owns the boat ?", answer: "ben", answers: ["ben"] },
  passages: [
    { id: "1", text: "ben owns the boat", score: 2 },
    { id: "2", text: "anna owns the house", score: 1 },
  ],
}

const lossOf = Effect.fnUntraced(function* (passes: readonly RaltBatch[]) {
  let loss = 0
  for (const batch of passes) {
    const { graph } = yield* raltProgram(chat, batch, 0)
    const executable = yield* (yield* Runtime).compile(graph)
    const weights = [...chat.parameters].map(([name, value]) => [jointName("generator", name), value] as const)
    const outputs = yield* executable.run({ ...Object.fromEntries(weights), ...batch.tensors })
    loss += Number(outputs["loss"]!.data[0])
  }
  return loss
})

for (const reduction of ["token", "example", "sum"] as const) {
  for (const passTokens of [10_000, 1]) {
    test(`${reduction}, passes of ${passTokens}: the loss of questions and texts is that of their labels alone`, async () => {
      const { texts } = await textsOf(chat, [conversation, segments])
      const prompts = promptsOf(chat)
      const batches = raltBatches(chat, {
        ...{ questions: [question], texts, prompts, seed: 0, k: 2, batchSize: 3, reduction, trainOnPrompt: false },
        ...{ passTokens, weights: { kind: "none" }, closedBookShare: 0, passagesPerPrompt: 1, distractorShare: 0 },
      })
      assert.equal(batches.perEpoch, 1)
      const passes = batches.at(0)
      assert.equal(
        passes.reduce((sum, { examples }) => sum + examples, 0),
        3,
      )
      const { found, logprobs } = await Effect.runPromise(
        Effect.gen(function* () {
          const { score } = yield* makeLocalGenerator({ model: chat })
          const sum = (prompt: readonly number[], answer: readonly number[], labels = answer.map(() => true)) =>
            Effect.map(score([{ prompts: [{ ids: prompt }], answer: { ids: answer } }]), (scores) =>
              (scores[0]?.[0]?.perToken ?? []).reduce((total, each, at) => total + (labels[at] ? each : 0), 0),
            )
          return {
            found: yield* lossOf(passes),
            logprobs: [
              yield* sum(prompts.prompt(question.query, [question.passages[0]!]).ids, prompts.answer("ben").ids),
              yield* sum(prompts.prompt(question.query, [question.passages[1]!]).ids, prompts.answer("ben").ids),
              ...(yield* Effect.forEach(texts, ({ prompt, answer, labels }) => sum(prompt, answer, [...labels]))),
            ],
          }
        }).pipe(Effect.scoped, Effect.provide(layer({ threads: 1 }))),
      )
      const own = prompts.answer("ben").ids.length
      const counts = [own, own, ...texts.map(({ labels }) => labels.filter(Boolean).length)]
      const values = [1, 1, 2, 1]
      const total = {
        sum: 1,
        token: counts.reduce((sum, tokens, at) => sum + tokens * values[at]!, 0),
        example: 4,
      }[reduction]
      const shares = reduction === "example" ? [1 / (2 * own), 1 / (2 * own), 2 / counts[2]!, 1 / counts[3]!] : values
      const expected = -logprobs.reduce((sum, each, at) => sum + each * shares[at]!, 0) / total
      assert.ok(Math.abs(found - expected) < 1e-4 * Math.abs(expected), `${found}, not ${expected}`)
      const labels = passes
        .flatMap(({ tensors }) => toNumbers(tensors["generator.weights"]!))
        .filter((each) => each > 0)
      assert.equal(
        labels.length,
        counts.reduce((sum, tokens) => sum + tokens, 0),
      )
    })
  }
}
