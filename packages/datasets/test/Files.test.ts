import assert from "node:assert/strict"
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { gzipSync } from "node:zlib"
import { Effect, Stream } from "effect"
import {
  corpusLines,
  type DatasetError,
  documentOf,
  dprCorpusTsv,
  dprJson,
  exampleLines,
  type RetrievalData,
} from "../src/index.ts"
import { type ReadOptions, readCorpus, readExamples, streamCorpus } from "../src/node/Files.ts"
import { writeBeir, writeText } from "../src/node/Write.ts"

const folder = await mkdtemp(join(tmpdir(), "datasets-"))
let count = 0
const save = async (content: string | Uint8Array, name = "data"): Promise<string> => {
  const path = join(folder, `${count++}-${name}`)
  await writeFile(path, content)
  return path
}
const read = (files: string | readonly string[], options?: ReadOptions): Promise<RetrievalData> =>
  Effect.runPromise(readExamples(files, options))
const failure = (files: string | readonly string[], options?: ReadOptions): Promise<DatasetError> =>
  Effect.runPromise(Effect.flip(readExamples(files, options)))

const squad = JSON.stringify({
  version: "1.1",
  data: [
    {
      title: "Red_River",
      paragraphs: [
        {
          context: "The river is red.",
          qas: [{ id: "a", question: "What colour?", answers: [{ text: "red" }, { text: "red" }] }],
        },
        { context: "It is long.", qas: [] },
      ],
    },
    {
      title: "Other",
      paragraphs: [{ context: "The river is red.", qas: [{ id: "b", question: "Which?", answers: [] }] }],
    },
  ],
})

const dpr = [
  {
    question: "who?",
    answers: ["Ann"],
    positive_ctxs: [{ title: "T", text: "It was Ann.", passage_id: 7 }],
    hard_negative_ctxs: [{ title: "", text: "It was Bob.", score: "3.5" }],
  },
  { question: "none?", answers: [], positive_ctxs: [] },
]

const corpus = '{"id": "p1", "text": "One."}\n{"id": "p2", "text": "Two.", "title": "Second", "lang": "en"}\n'
const own =
  '{"id": "x", "query": "one?", "positives": ["p1", {"id": "p3", "text": "Uno."}], "negatives": ["p2"], "answers": ["two"], "level": 3}\n'

test("SQuAD: a paragraph is one passage, its article the title, the group and the document", async () => {
  const { examples, corpus: passages, statistics } = await read(await save(squad))
  assert.equal(passages.size, 2)
  assert.deepEqual(examples[0]?.positives, examples[1]?.positives)
  const passage = passages.get(examples[0]?.positives[0] ?? "")
  assert.equal(passage?.title, "Red River")
  assert.equal(passage && documentOf(passage), "Red_River")
  assert.deepEqual(examples[0]?.answers, ["red"])
  assert.equal(examples[0]?.group, "Red_River")
  assert.deepEqual([statistics.rows, statistics.examples, statistics.passages], [2, 2, 2])
  assert.equal((await Effect.runPromise(readCorpus(await save(squad)))).size, 2)
})

test("DPR: JSON, pretty JSON and JSON Lines, plain and packed, give the same data", async () => {
  const lines = dpr.map((row) => JSON.stringify(row)).join("\n")
  const texts = [JSON.stringify(dpr), JSON.stringify(dpr, undefined, 2), lines]
  const first = await read(await save(texts[0] ?? ""))
  assert.deepEqual(first.statistics, {
    rows: 2,
    examples: 1,
    droppedWithoutPositive: 1,
    passages: 2,
    answersNotInPositives: 0,
    withNegatives: 1,
  })
  assert.equal(first.corpus.get("7")?.title, "T")
  for (const text of texts) {
    assert.deepEqual(await read(await save(text)), first)
    assert.deepEqual(await read(await save(gzipSync(text), "data.json.gz")), first)
  }
})

test("own examples: ids of a corpus, inline passages, unknown fields kept", async () => {
  const file = await save(own)
  const data = await read(file, { corpus: await save(corpus) })
  assert.deepEqual(data.examples[0], {
    id: "x",
    query: "one?",
    positives: ["p1", "p3"],
    negatives: ["p2"],
    answers: ["two"],
    metadata: { level: 3 },
  })
  assert.deepEqual(data.corpus.get("p2"), { id: "p2", text: "Two.", title: "Second", metadata: { lang: "en" } })
  assert.equal(data.statistics.answersNotInPositives, 1)
  assert.deepEqual((await read(file, { corpus: data.corpus })).examples, data.examples)
})

test("DPR corpus with and without header, doubled quotes; question and answer pairs", async () => {
  const rows = '1\t"He said ""no""\tand left"\tTalk\n2\tPlain "text"\tOther\n'
  for (const text of [rows, `id\ttext\ttitle\n${rows}`]) {
    const file = await save(text)
    const passages = await Effect.runPromise(readCorpus(file))
    assert.deepEqual(
      [...passages.values()].map(({ text }) => text),
      ['He said "no"\tand left', 'Plain "text"'],
    )
    const streamed = await Effect.runPromise(Stream.runCollect(streamCorpus(file)))
    assert.deepEqual([...streamed], [...passages.values()])
    const again = await save([...dprCorpusTsv(passages.values())].join(""))
    assert.deepEqual(await Effect.runPromise(readCorpus(again)), passages)
  }
  const pairs = await read(await save(`who was it\t['Ann', "Bob's"]\n`), { requirePositives: false })
  assert.deepEqual(pairs.examples[0]?.answers, ["Ann", "Bob's"])
  assert.equal((await failure(await save("who\t['Ann']\n")))._tag, "NoExamples")
})

test("BEIR: written and read again, as a folder and by its judgements", async () => {
  const data = await read(await save(own), { corpus: await save(corpus) })
  const beir = join(folder, "beir")
  await Effect.runPromise(writeBeir(beir, data, "test"))
  for (const path of [beir, join(beir, "qrels", "test.tsv")]) {
    const again = await read(path)
    assert.deepEqual(again.examples[0]?.positives, ["p1", "p3"])
    assert.deepEqual(again.examples[0]?.relevance, { p1: 1, p3: 1 })
    assert.equal(again.corpus.size, 3)
  }
})

test("what is written is read again: DPR JSON and own JSON Lines, packed", async () => {
  const data = await read(await save(own), { corpus: await save(corpus) })
  const [examples, passages, asDpr] = ["e.jsonl.gz", "c.jsonl.gz", "d.json"].map((name) => join(folder, "new", name))
  assert.ok(examples !== undefined && passages !== undefined && asDpr !== undefined)
  await Effect.runPromise(writeText(examples, exampleLines(data.examples)))
  await Effect.runPromise(writeText(passages, corpusLines(data.corpus.values())))
  await Effect.runPromise(writeText(asDpr, dprJson(data)))
  assert.deepEqual(await read(examples, { corpus: passages }), data)
  assert.equal((await readFile(passages))[0], 0x1f)
  const dprData = await read(asDpr)
  assert.deepEqual(dprData.examples[0]?.positives, ["p1", "p3"])
  assert.deepEqual(dprData.examples[0]?.negatives, ["p2"])
})

test("a corpus in several files; the same passage twice is one", async () => {
  const passages = await Effect.runPromise(readCorpus([await save(corpus), await save(corpus)]))
  assert.equal(passages.size, 2)
})

test("each kind of bad input is an error of its own that says where", async (t) => {
  const good = await save(corpus)
  const cases: readonly (readonly [string, string | Uint8Array, string, Partial<DatasetError>, ReadOptions?])[] = [
    ["empty file", "", "EmptyFile", {}],
    ["blank file", "\n \n", "EmptyFile", {}],
    ["truncated SQuAD", squad.slice(0, -40), "TruncatedJson", { line: 1 }],
    ["truncated DPR array", JSON.stringify(dpr).slice(0, -30), "TruncatedJson", {}],
    ["truncated JSON Lines", `${own}{"query": "tw`, "TruncatedJson", { line: 2 }, { corpus: good }],
    ["broken JSON Lines", `{"query": x}\n${own}`, "InvalidJson", { line: 1 }, { format: "jsonl" }],
    ["broken array", '[{"question": "a"},, {}]', "InvalidJson", { line: 1 }],
    ["wrong format", "once upon a time\n", "UnknownFormat", {}],
    ["a corpus for examples", corpus, "UnknownFormat", {}],
    ["another format than asked", own, "InvalidRow", { field: "question" }, { format: "dpr" }],
    [
      "missing field",
      `${own}{"id": "z", "positives": []}\n`,
      "InvalidRow",
      { line: 2, field: "query" },
      { corpus: good },
    ],
    [
      "wrong type",
      '{"query": "a", "positives": [{"text": 3}]}',
      "InvalidRow",
      { line: 1, field: "positives[0].text", found: "3" },
    ],
    ["DPR row without question", '[\n{"question":"a"},\n{"answers":[]}]', "InvalidRow", { line: 3, field: "question" }],
    [
      "SQuAD without context",
      squad.replace('"context":"It is long."', '"text":"x"'),
      "InvalidRow",
      { field: "data[0].paragraphs[1].context" },
    ],
    ["no positive left", JSON.stringify([dpr[1]]), "NoExamples", {}],
    ["unknown passage", `\n${own}`, "UnknownPassage", { line: 2, field: "positives", found: "p1" }],
    ["truncated gzip", gzipSync(squad).subarray(0, 60), "InvalidGzip", {}],
    ["invalid UTF-8", Buffer.concat([Buffer.from(own), Buffer.from([0x7b, 0xff, 0x41])]), "InvalidUtf8", { line: 2 }],
    ["unclosed quote", '1\t"text\tTitle\n', "InvalidRow", { line: 1 }, { format: "dpr-qa" }],
    ["answers that are code", "who\t__import__('os')\n", "InvalidRow", { field: "answers" }, { format: "dpr-qa" }],
    [
      "duplicate passage",
      '{"query": "a", "positives": [{"id": "p", "text": "x"}]}\n{"query": "b", "positives": [{"id": "p", "text": "y"}]}\n',
      "DuplicatePassage",
      { line: 2 },
    ],
  ]
  for (const [name, content, tag, fields, options] of cases) {
    await t.test(name, async () => {
      const file = await save(content)
      const error = await failure(file, options)
      assert.equal(error._tag, tag)
      assert.equal(error.file, file)
      assert.ok(error.message.includes(file))
      for (const [field, value] of Object.entries(fields)) assert.equal(Reflect.get(error, field), value, field)
    })
  }
  await t.test("unreadable path", async () => {
    assert.equal((await failure(join(folder, "nowhere.jsonl")))._tag, "UnreadableFile")
  })
  await t.test("plain text named .gz", async () => {
    assert.equal((await failure(await save(own, "own.jsonl.gz")))._tag, "InvalidGzip")
  })
  await t.test("folder without a data set", async () => {
    await mkdir(join(folder, "bare"))
    assert.equal((await failure(join(folder, "bare")))._tag, "UnknownFormat")
  })
  await t.test("duplicate ids in a corpus", async () => {
    const error = await Effect.runPromise(Effect.flip(readCorpus([good, await save('{"id": "p1", "text": "Other."}')])))
    assert.equal(error._tag, "DuplicatePassage")
  })
  await t.test("unwritable path", async () => {
    const error = await Effect.runPromise(Effect.flip(writeText(join(good, "inside.txt"), ["x"])))
    assert.equal(error._tag, "UnwritableFile")
  })
})
