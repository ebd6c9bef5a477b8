// Conversations, segments and tables for a generator; the files are written by test/golden/layouts.py.
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { mkdtemp, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import {
  type DatasetError,
  type InstructionData,
  type InstructionExample,
  isDatasetError,
  parseChat,
  parseSegments,
  recogniseFormat,
  segmentTokens,
  sourceOf,
} from "../src/index.ts"
import { readExamples } from "../src/node/Files.ts"
import { type InstructionOptions, readInstructions } from "../src/node/Instructions.ts"

const golden = (name: string): string => fileURLToPath(new URL(`../../../test/golden/layouts/${name}`, import.meta.url))
const folder = await mkdtemp(join(tmpdir(), "instructions-"))
let count = 0
const save = async (...rows: readonly unknown[]): Promise<string> => {
  const file = join(folder, `${count++}.jsonl`)
  await writeFile(file, rows.map((row) => (typeof row === "string" ? row : JSON.stringify(row))).join("\n"))
  return file
}
const read = (file: string, options?: InstructionOptions): Promise<InstructionData> =>
  Effect.runPromise(readInstructions(file, options))
const failure = (file: string, options?: InstructionOptions): Promise<DatasetError> =>
  Effect.runPromise(Effect.flip(readInstructions(file, options)))

/** The pieces of an example, those that are trained on marked: `role: text*`. */
const pieces = (example: InstructionExample): readonly string[] =>
  example.kind === "messages"
    ? example.messages.map(({ role, content, trained }) => `${role}: ${content}${trained ? "*" : ""}`)
    : example.segments.map(({ text, trained }) => `${text}${trained ? "*" : ""}`)

const all = ({ examples }: InstructionData): readonly (readonly string[])[] => examples.map(pieces)

const questions = ["who flew first, and where?", 'what is "red"?', "日本で最も高い山は?"]
const answers = ["1903", "a colour", "富士山"]
const documented = readFileSync(new URL("../../../docs/data-layouts.md", import.meta.url), "utf8")

const chats = questions.map((question, at) => [
  "system: Answer briefly.",
  "user: Hello",
  "assistant: Hello!",
  `user: ${question}`,
  `assistant: ${answers[at]}*`,
])
const template = { query: "{instruction}\n{input}", response: "{output}" }
const alpaca = [
  `user: Answer the question.\n${questions[0]}`,
  "user: Answer briefly.",
  `user: 答えて。\n${questions[2]}`,
].map((asked, at) => [asked, `assistant: ${answers[at]}*`])
const pairs = questions.map((question, at) => [`user: ${question}`, `assistant: ${answers[at]}*`])

const layouts: readonly (readonly [
  file: string,
  expected: readonly (readonly string[])[],
  options?: InstructionOptions,
])[] = [
  ["chat.jsonl", chats],
  ["chat-table.jsonl", chats],
  ["chat-table.parquet", chats],
  ["segments.jsonl", questions.map((question, at) => [`<s>[INST] ${question} [/INST]`, ` ${answers[at]}</s>*`])],
  ["instructions.jsonl", alpaca, { template }],
  ["instructions.csv", alpaca, { template }],
  ["instructions.parquet", alpaca, { template }],
  ["own.jsonl", pairs],
  ["dpr.json", pairs],
  ["qa.tsv", pairs],
]

for (const [name, expected, options] of layouts)
  test(`${name} for a generator`, async () => {
    assert.deepEqual(all(await read(golden(name), options)), expected)
    assert.ok(
      documented.includes(`\`${name.replace(/\.(?:jsonl|csv|parquet)$/, "")}`),
      `docs/data-layouts.md lacks ${name}`,
    )
  })

test("SQuAD's questions become conversations, the unanswerable ones are left out", async () => {
  const data = await read(golden("squad.json"))
  assert.deepEqual(all(data), pairs)
  assert.deepEqual(data.statistics, { rows: 6, examples: 3, droppedUntrained: 3 })
})

test("turns of the assistant are trained on but for those of weight 0; the row's weight is the example's", async () => {
  const messages = [
    {
      role: "developer",
      content: [
        { type: "text", text: "Be " },
        { type: "text", text: "brief." },
      ],
    },
    { role: "user", content: "a", name: "Ann" },
    { role: "assistant", content: "b" },
    { role: "assistant", content: "c", weight: 0, mood: "glad" },
  ]
  const file = await save({ id: 7, messages, weight: 0.5, lang: "en" }, { messages, id: 7, tools: [] })
  const [first, second] = (await read(file)).examples
  assert.deepEqual(first, {
    kind: "messages",
    id: "7",
    weight: 0.5,
    metadata: { lang: "en" },
    messages: [
      { role: "system", content: "Be brief.", trained: false },
      { role: "user", content: "a", name: "Ann", trained: false },
      { role: "assistant", content: "b", trained: true },
      { role: "assistant", content: "c", trained: false, metadata: { mood: "glad" } },
    ],
  })
  assert.equal(second?.id, "7#2")
})

test("what is wrong in a conversation is named with its place", async () => {
  const turn = (fields: object, row: object = {}) => ({ messages: [{ role: "user", content: "a" }, fields], ...row })
  const cases: readonly (readonly [unknown, field: string, text: RegExp, hint?: RegExp])[] = [
    [turn({ role: "user", content: "b", weight: 1 }), "messages[1].weight", /only turns of the assistant/],
    [turn({ role: "assistant", content: "b", weight: 0.5 }), "messages[1].weight", /expected 0 \| 1, found 0.5/],
    [turn({ role: "assistent", content: "b" }), "messages[1].role", /"assistent"/, /assistent → assistant\?/],
    [turn({ role: "assistant" }), "messages[1].content", /lacks the field/],
    [turn({ role: "assistant", contnet: "b" }), "messages[1].content", /lacks/, /contnet → content\?/],
    [turn({ role: "assistant", content: null, tool_calls: [{}] }), "messages[1].tool_calls", /conversations of text/],
    [turn({ role: "assistant", content: "b", train: true }), "messages[1].train", /conversations of text/, /`weight`/],
    [
      turn({ role: "assistant", content: [{ type: "image_url" }] }),
      "messages[1].content",
      /field messages\[1\].content/,
    ],
    [turn({ role: "assistant", content: "b" }, { tools: [{}] }), "tools", /conversations of text/],
    [turn({ role: "assistant", content: "b" }, { weight: -1 }), "weight", /field weight/],
    [{ messages: [] }, "messages", /field messages/],
    [{ messages: "a" }, "messages", /field messages/],
  ]
  for (const [row, field, text, hint] of cases) {
    const error = await failure(await save(turn({ role: "assistant", content: "fine" }), row), { format: "chat" })
    const what = `${JSON.stringify(row)}: ${error.message}`
    assert.equal(error._tag, "InvalidRow", what)
    assert.equal(error.line, 2, what)
    assert.ok(error.field?.startsWith(field), `${what} (${error.field})`)
    assert.match(error.message, text)
    if (hint !== undefined) assert.match(error.hint ?? "", hint, what)
  }
})

test("a slip in a name is remarked upon; a row without anything to train on is left out, and counted", async () => {
  const chat = (fields: object) => ({
    messages: [
      { role: "user", content: "a" },
      { role: "assistant", content: "b", ...fields },
    ],
  })
  const data = await read(await save(chat({}), chat({ wieght: 0 }), chat({ weight: 0 }), chat({ content: "" })))
  assert.equal(data.examples.length, 2)
  assert.deepEqual(data.statistics, { rows: 4, examples: 2, droppedUntrained: 2 })
  assert.deepEqual(
    data.warnings.map(({ kind, count, examples }) => [kind, count, examples[0]?.replace(/^.*:/, "")]),
    [
      ["unknown-field", 1, "wieght → weight?"],
      ["untrained", 2, "3"],
    ],
  )
  const none = await failure(await save(chat({ weight: 0 })))
  assert.equal(none._tag, "NoExamples")
  assert.match(none.message, /none of 1 rows has anything to train on/)
})

test("segments: labels are booleans, texts are kept as they stand", async () => {
  const file = await save({
    segments: [
      { label: false, text: "<s> a\n" },
      { label: true, text: " b</s>" },
    ],
    weight: 2,
  })
  const [example] = (await read(file)).examples
  assert.ok(example?.kind === "segments" && example.weight === 2)
  assert.deepEqual(pieces(example), ["<s> a\n", " b</s>*"])
  const wrong = await failure(await save({ segments: [{ label: 1, text: "a" }] }))
  assert.deepEqual([wrong.field, wrong.found, wrong.line], ["segments[0].label", "1", 1])
  const slip = await failure(await save({ segments: [{ lable: true, text: "a" }] }))
  assert.deepEqual([slip.field, slip.hint], ["segments[0].label", "lable → label?"])
})

test("segments are tokenized one by one, as Axolotl does", () => {
  // Mistral-7B-v0.1's ids of these four texts, each by itself.
  const ids = new Map([
    ["<s>Hello\n", [1, 22557, 13]],
    ["hi there!. ", [12014, 736, 28808, 28723, 28705]],
    ["goodbye ", [1179, 17664, 28705]],
    ["farewell</s>", [19111, 5458, 2]],
  ])
  const segments = [...ids.keys()].map((text, at) => ({ text, trained: at !== 2 }))
  const tokens = segmentTokens(segments, (text) => Int32Array.from(ids.get(text) ?? []))
  assert.deepEqual(tokens.ids, [1, 22557, 13, 12014, 736, 28808, 28723, 28705, 1179, 17664, 28705, 19111, 5458, 2])
  assert.deepEqual(
    tokens.trained.flatMap((trained, at) => (trained ? [] : [at])),
    [8, 9, 10],
  )
})

test("templates: paths, braces, absent fields, ids and weights", async () => {
  const file = await save(
    { id: 3, q: " Who? ", a: { list: ["Ann", "Bob"] }, n: 4, weight: 0.25, extra: true },
    { q: "When?", a: { list: [] } },
    { q: "", a: { list: ["x"] } },
  )
  const data = await read(file, { template: { query: "{{{q}}} {n}", response: "{a.list.0}" } })
  assert.deepEqual(data.examples, [
    {
      kind: "messages",
      id: "3",
      weight: 0.25,
      metadata: { extra: true },
      messages: [
        { role: "user", content: "{ Who? } 4", trained: false },
        { role: "assistant", content: "Ann", trained: true },
      ],
    },
    {
      kind: "messages",
      id: data.examples[1]?.id,
      messages: [
        { role: "user", content: "{}", trained: false },
        { role: "assistant", content: "x", trained: true },
      ],
    },
  ])
  assert.match(data.examples[1]?.id ?? "", /^i-[0-9a-f]{24}$/)
  assert.equal(data.statistics.droppedUntrained, 1)
  const list = await failure(file, { template: { query: "{q}", response: "{a.list}" } })
  assert.deepEqual(
    [list._tag, list.field, list.line, list.hint],
    ["InvalidRow", "a.list", 1, "{a.list.0} is the first of a list"],
  )
})

test("a template that fits no row, or is none, is an error", async () => {
  const file = golden("instructions.csv")
  const slip = await failure(file, { template: { query: "{instuction}", response: "{output}" } })
  assert.deepEqual([slip._tag, slip.field, slip.hint], ["InvalidRow", "instuction", "instuction → instruction?"])
  for (const response of ["{output", "output}", "{}", "an answer"])
    await assert.rejects(read(file, { template: { query: "{instruction}", response } }), RangeError)
})

test("a column `answer` is what the model learns to say", async () => {
  const file = await save(
    { question: "Who?", answer: "Ann." },
    { query: "When?", answer: "1903", answers: ["In 1903"] },
  )
  assert.deepEqual(all(await read(file)), [
    ["user: Who?", "assistant: Ann.*"],
    ["user: When?", "assistant: In 1903*"],
  ])
})

test("formats are recognised by content, and refused where there is nothing to retrieve", async () => {
  assert.equal(recogniseFormat('{"messages": [{"role": "user"'), "chat")
  assert.equal(recogniseFormat('[{"id": 1, "segments": ['), "segments")
  assert.equal(recogniseFormat('{"query": "a", "messages": []}'), "jsonl")
  const error = await Effect.runPromise(Effect.flip(readExamples(golden("chat.jsonl"))))
  assert.deepEqual([error._tag, error.found], ["UnknownFormat", "chat"])
  assert.match((await failure(await save({ mesages: [] }))).hint ?? "", /mesages → messages\?/)
  const corpus = await failure(golden("corpus.jsonl"))
  assert.equal(corpus._tag, "UnknownFormat")
})

test("damaged rows are errors of this package with their line", async () => {
  for (const [parse, row] of [
    [parseChat, '{"messages": [1]}'],
    [parseChat, "[]"],
    [parseSegments, '{"segments": {}}'],
    [parseSegments, '{"segments": [{"label": true, "text": "a"}'],
  ] as const) {
    const rows = parse(sourceOf(`\n${row}\n`, "f"))
    await assert.rejects(
      async () => {
        for await (const _ of rows);
      },
      (error) => isDatasetError(error) && error.file === "f" && error.line === 2,
      row,
    )
  }
})
