// What is trained of a row is the same in every format, as far as the format can say it: read back by this project's readers
// where there are any, else as the format's own reader is documented to mask.
import assert from "node:assert/strict"
import { test } from "node:test"
import { chatRows, exampleRows, type InstructionRow, segmentRows, type TableRow } from "@tandem/datasets"
import { makePrompts } from "@tandem/generator"
import { tinyDecoder, trainWordPiece } from "@tandem/models"
import {
  askTemplate,
  type ExportName,
  exportFormats,
  type RowSettings,
  retrieverPair,
  rowMaker,
  type TrainingRow,
} from "../../src/index.ts"
import { chunkOf, turnsOf as textsOf, threeConversations } from "../support/Conversations.ts"

const settings: RowSettings = {
  final_assistant_prompts: ["Use:\n{data}"],
  system_format: "[SYS]{{ system }}\n",
  user_format: "User: {{ user }}\n",
  assistant_format: "AI: {{ assistant }}</s>\n",
  bos: "<s>",
  num_items_per_group: 3,
  train_on_questions: false,
  train_on_thoughts: false,
  seed: 1,
}
const rowsWith = (more: Partial<RowSettings> = {}) => rowMaker({ ...settings, ...more }).rows(threeConversations)
const answersAlone = rowsWith()
const withQuestions = rowsWith({ train_on_questions: true })

const exported = (name: ExportName, row: TrainingRow) =>
  exportFormats[name].lines(row).map((line) => {
    assert.ok(line.endsWith("\n"))
    return JSON.parse(line)
  })

async function* table(values: readonly unknown[]): AsyncGenerator<TableRow> {
  for (const [at, value] of values.entries()) yield { value, line: at + 1 }
}
const read = async (rows: AsyncGenerator<InstructionRow>) => {
  const examples = []
  for await (const { example, remarks } of rows) {
    assert.deepEqual(remarks ?? [], [])
    examples.push(example)
  }
  return examples
}

/** Texts that are trained of a row, and those that are read. */
const masked = (pieces: readonly { readonly text: string; readonly trained: boolean }[]) =>
  pieces.map(({ text, trained }) => [trained, text])
const turnsOf = ({ system, turns }: TrainingRow) =>
  masked([{ text: system, trained: false }, ...turns.map(({ text, trained }) => ({ text, trained }))])
const segmentsOf = ({ segments }: TrainingRow) => masked(segments.map(({ text, label }) => ({ text, trained: label })))

test("axolotl and ralt: the reader of segments gets every mask; ralt says besides whether retrieval failed", async () => {
  for (const rows of [answersAlone, withQuestions]) {
    for (const name of ["axolotl", "ralt"] as const) {
      const examples = await read(segmentRows(table(rows.flatMap((row) => exported(name, row))), name))
      assert.equal(examples.length, 3)
      for (const [at, example] of examples.entries()) {
        assert.ok(example.kind === "segments")
        assert.deepEqual(masked(example.segments), segmentsOf(rows[at]!))
      }
    }
  }
  const second = exported("ralt", answersAlone[1]!)[0]
  assert.deepEqual([second.id, second.metadata], ["k2", { failed: true }])
  assert.deepEqual(Object.keys(exported("axolotl", answersAlone[1]!)[0]), ["segments"])
})

test("openai: the reader of conversations trains the same answers", async () => {
  const examples = await read(chatRows(table(answersAlone.flatMap((row) => exported("openai", row))), "openai"))
  for (const [at, example] of examples.entries()) {
    assert.ok(example.kind === "messages")
    assert.deepEqual(
      example.messages.map(({ content, trained }) => [trained, content]),
      turnsOf(answersAlone[at]!),
    )
  }
  assert.match(exportFormats.openai.cannot({ ...settings, train_on_questions: true }).join(), /trained questions/)
})

test("chat-template: a flag at every message, questions too", () => {
  for (const row of [...answersAlone, ...withQuestions]) {
    const [{ messages }] = exported("chat-template", row)
    assert.deepEqual(
      messages.map(({ content, train }: { readonly content: string; readonly train: boolean }) => [train, content]),
      turnsOf(row),
    )
  }
})

test("trl: prompts and completions put together are the row, and completions are what is trained", () => {
  for (const row of [...answersAlone, ...withQuestions]) {
    const spans: readonly { readonly prompt: string; readonly completion: string }[] = exported("trl", row)
    const whole = row.segments.map(({ text }) => text).join("")
    const isTrained = row.segments.flatMap(({ text, label }) => Array.from(text, () => label))
    const found = isTrained.map(() => false)
    for (const { prompt, completion } of spans) {
      assert.ok(whole.startsWith(prompt + completion))
      found.fill(true, Array.from(prompt).length, Array.from(prompt + completion).length)
    }
    assert.deepEqual(found, isTrained)
  }
})

test("sharegpt: a line for each trained answer, the last turn of its line", () => {
  for (const row of answersAlone) {
    const lines = exported("sharegpt", row)
    const trained = row.turns.filter((turn) => turn.trained)
    assert.equal(lines.length, trained.length)
    for (const [at, { system, conversations }] of lines.entries()) {
      assert.equal(system, row.system)
      assert.deepEqual(conversations.at(-1), { from: "gpt", value: trained[at]!.text })
      for (const [turn, { from, value }] of conversations.entries()) {
        assert.equal(from, turn % 2 === 0 ? "human" : "gpt")
        assert.equal(value, row.turns[turn]!.text)
      }
    }
  }
})

test("a retriever's pairs: the first question, the true chunk, and the distractors that were shown", async () => {
  const pairs = threeConversations.map(retrieverPair)
  const examples = []
  for await (const row of exampleRows(table(pairs), "pairs")) {
    assert.deepEqual(row.remarks ?? [], [])
    examples.push(row)
  }
  const [first, second] = examples
  assert.equal(first?.example.query, "What first?")
  assert.deepEqual(
    first?.passages?.map(({ id }) => id),
    ["c1", "c2"],
  )
  assert.deepEqual([first?.example.positives, first?.example.negatives], [["c1"], ["c2"]])
  assert.deepEqual([second?.example.positives, second?.example.negatives], [["c2"], ["c3"]])
  assert.equal(retrieverPair({ ...threeConversations[0]!, turns: [] }), undefined)
})

test("a distractor that overlaps with the true chunk, or holds the answer, is no negative of a retriever", () => {
  const truth = chunkOf("c", "pump.md", "Prime the pump with two litres of clean water before its first start.", 1)
  const shown = [
    truth,
    { ...chunkOf("overlap", "pump.md", "Something else stands here.", 2), start: truth.end - 5 },
    chunkOf("next", "pump.md", "Then close both of the valves.", 2),
    chunkOf("answer", "water.md", "Whoever owns one takes two litres of clean water along."),
    chunkOf("other", "oven.md", "Bake for 50 minutes."),
  ]
  const turns = textsOf("What does it need?", "It is primed with two litres of clean water [pump.md].")
  const pair = retrieverPair({ item: { key: "c", chunk: truth, shown, failed: false }, turns })
  assert.deepEqual(
    pair?.negatives.map(({ id }) => id),
    ["next", "other"],
  )
})

test("the template that a trained model is asked with writes prompts as rows begin", () => {
  const [row] = rowsWith({ bos: "", num_items_per_group: 1 })
  const texts = [row!.segments.map(({ text }) => text).join(" ")]
  const model = tinyDecoder({ seed: 0, vocabulary: trainWordPiece(texts, { vocabularySize: 120 }), maxLength: 512 })
  const prompts = makePrompts(model, { template: askTemplate(settings) })
  const [{ item, turns }] = threeConversations as readonly [(typeof threeConversations)[number]]
  const passages = item.shown.map(({ source, text }) => ({ title: source, text }))
  const prompt = prompts.text(turns[0]!.text, passages)
  assert.equal(prompt, `${row!.segments[0]!.text}${row!.segments[1]!.text}AI: `)
  const thinking = { ...settings, assistant_format: "AI: <think>{{ thoughts }}</think>{{ assistant }}</s>" }
  assert.match(askTemplate(thinking).text, /AI: <think><\/think>\{response\}<\/s>$/)
  assert.match(askTemplate({ ...thinking, train_on_thoughts: true }).text, /AI: <think>\{response\}$/)
})
