// What people's own files look like: slips in names, strings for passages, quotes that nobody closed.
import assert from "node:assert/strict"
import { mkdir, mkdtemp, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { Effect, Stream } from "effect"
import { type DatasetError, ignoredTitles, parseDprCorpus, type RetrievalData } from "../src/index.ts"
import { nearestName } from "../src/internal/NearestName.ts"
import { type ReadOptions, readCorpus, readExamples, streamCorpus } from "../src/node/Files.ts"

const folder = await mkdtemp(join(tmpdir(), "everyday-"))
let count = 0
const save = async (content: string, name = "data"): Promise<string> => {
  const path = join(folder, `${count++}-${name}`)
  await writeFile(path, content)
  return path
}
const saved = (...rows: readonly unknown[]): Promise<string> =>
  save(rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
const read = (file: string, options: ReadOptions = {}): Promise<RetrievalData> =>
  Effect.runPromise(readExamples(file, options))
const failure = (file: string, options: ReadOptions = {}): Promise<DatasetError> =>
  Effect.runPromise(Effect.flip(readExamples(file, options)))

test("a slip of a known name is found; a name of its own is not", () => {
  const known = ["query", "positives", "answers", "weight"]
  for (const [slip, name] of [
    ["postives", "positives"],
    ["Positives", "positives"],
    ["awnsers", "answers"],
    ["answer", "answers"],
    ["weigth", "weight"],
    ["querry", "query"],
  ] as const) {
    assert.equal(nearestName(slip, known), name)
  }
  for (const name of ["level", "source", "dataset", "lang", "url", "split", "height_m"]) {
    assert.equal(nearestName(name, known), undefined, name)
  }
})

test("a misspelt field is named with the known one: in a warning, or in the error that it leads to", async () => {
  const row = { query: "a b", positives: ["c d"], weigth: 2, level: 1 }
  const { warnings, examples } = await read(await saved(row, row))
  assert.deepEqual(
    warnings.map(({ kind, count: rows, examples: named }) => [kind, rows, ...named]),
    [["unknown-field", 2, "weigth → weight?"]],
  )
  assert.deepEqual(examples[0]?.metadata, { weigth: 2, level: 1 })
  const dropped = await failure(await saved({ query: "a b", postives: ["c d"] }))
  assert.deepEqual([dropped._tag, dropped.hint], ["NoExamples", "a field may be misspelt: postives → positives?"])
  const unnamed = await failure(await saved({ qeury: "a b", positives: ["c d"] }), { format: "jsonl" })
  assert.deepEqual([unnamed._tag, unnamed.field, unnamed.hint], ["InvalidRow", "query", "qeury → query?"])
})

test("a file whose columns nothing is known by is refused with the known name next to its own", async () => {
  for (const content of [
    '{"anchr": "a b", "positive": "c d"}\n',
    '[{"anchr": "a b", "positive": "c d"}]',
    "anchr,positive\na,b\n",
    "anchr\tpositive\na\tb\n",
  ]) {
    const error = await failure(await save(content))
    assert.deepEqual([error._tag, error.hint], ["UnknownFormat", "a field may be misspelt: anchr → anchor?"], content)
  }
})

test("a string is an id where a corpus is given, and a passage where none is and it reads like one", async () => {
  const corpus = await saved({ id: "a b", text: "x" }, { id: "p1", text: "y" })
  const file = await saved({ query: "q", positives: ["a b"], negatives: ["p1"] })
  assert.deepEqual((await read(file, { corpus })).examples[0]?.positives, ["a b"])
  assert.equal((await failure(file))._tag, "UnknownPassage")
  const text = await saved({ query: "q", positives: ["two words"] })
  assert.equal((await failure(text, { corpus }))._tag, "UnknownPassage")
  const data = await read(text)
  assert.equal(data.corpus.get(data.examples[0]?.positives[0] ?? "")?.text, "two words")
})

test("columns of texts name passages of the corpus where it has such ids", async () => {
  const corpus = await saved({ id: "p1", text: "y" }, { id: "p2", text: "z" })
  const ids = await read(await saved({ anchor: "q", positive: "p1", negative: "p2" }), { corpus })
  assert.deepEqual([ids.examples[0]?.positives, ids.examples[0]?.negatives], [["p1"], ["p2"]])
  assert.equal(ids.corpus.size, 2)
  assert.equal((await failure(await saved({ anchor: "q", positive: "p3" }), { corpus }))._tag, "UnknownPassage")
  const word = await read(await saved({ anchor: "capital of France", positive: "Paris" }))
  assert.equal([...word.corpus.values()][0]?.text, "Paris")
})

test("similarities of pairs are no judgements", async () => {
  for (const row of [
    { sentence1: "a", sentence2: "b", score: 0.7 },
    { anchor: "a", positive: "b", label: 2 },
  ]) {
    const error = await failure(await saved(row))
    assert.deepEqual([error._tag, error.line, error.expected?.slice(0, 1)], ["InvalidRow", 1, "0"])
  }
})

test("CSV: quotes that are not closed, or closed within a field, and rows of other columns, with their line", async () => {
  const head = "anchor,positive\n"
  for (const [body, line] of [
    ['a,"b\nc,d\n', 2],
    ['a,b\nc,"d" e\n', 3],
    ["a,b\nc,d,e\n", 3],
    ["a,b\nc\n", 3],
  ] as const) {
    const file = await save(head + body)
    const error = await failure(file)
    assert.deepEqual([error._tag, error.file, error.line], ["InvalidRow", file, line], body)
  }
  const typed = await read(await save('anchor,positive,weight,lang\nx,"a ""b""\nc",0.5,en\n'))
  assert.deepEqual([typed.examples[0]?.weight, typed.examples[0]?.metadata], [0.5, { lang: "en" }])
  assert.equal([...typed.corpus.values()][0]?.text, 'a "b"\nc')
})

test("damaged Parquet is an error of its own", async () => {
  const error = await failure(await save(`PAR1${"x".repeat(40)}PAR1`))
  assert.equal(error._tag, "InvalidParquet")
})

const tsvTexts = async (text: string, size = text.length): Promise<readonly (readonly [string, string])[]> => {
  async function* pieces(): AsyncGenerator<string> {
    for (let start = 0; start < text.length; start += size) yield text.slice(start, start + size)
  }
  const found: (readonly [string, string])[] = []
  for await (const { passage } of parseDprCorpus({ file: "f", chunks: pieces() }))
    found.push([passage.id, passage.text])
  return found
}

test("TSV: open quotes leave the other rows alone, quoted line breaks are read, however the text is cut", async () => {
  const head = "id\ttext\ttitle\n"
  const cases: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
    [
      '1\t"open\tA\n2\tplain\tB\n',
      [
        ["1", '"open'],
        ["2", "plain"],
      ],
    ],
    [
      '1\t"open\tA\n2\t"closed"\tB\n3\tx\tC\n',
      [
        ["1", '"open'],
        ["2", "closed"],
        ["3", "x"],
      ],
    ],
    [
      '1\t"open\tA\n2\tends with "\tB\n3\tx\tC\n',
      [
        ["1", '"open'],
        ["2", 'ends with "'],
        ["3", "x"],
      ],
    ],
    [
      '1\t"two\nlines"\tA\n2\tx\tB\n',
      [
        ["1", "two\nlines"],
        ["2", "x"],
      ],
    ],
    [
      '1\t"a\tb\nsaid ""c"""\tA\n2\tx\tB\n',
      [
        ["1", 'a\tb\nsaid "c"'],
        ["2", "x"],
      ],
    ],
    [
      '1\t"a" b\tA\n2\t""\tB\n',
      [
        ["1", '"a" b'],
        ["2", ""],
      ],
    ],
    ['1\t"x\n\n\ny"\tA\n', [["1", "x\n\n\ny"]]],
  ]
  for (const [body, expected] of cases) {
    for (const size of [1, 3, 1000]) assert.deepEqual(await tsvTexts(head + body, size), expected, body)
  }
  await assert.rejects(tsvTexts(`${head}1\tx\tA\n2\t"open and short\n3\tz\tC\n`), { _tag: "InvalidRow", line: 3 })
  await assert.rejects(tsvTexts('1\t"open\tA\n2\tx\tB\n'), { _tag: "InvalidRow", line: 1 })
})

test("a corpus is streamed as it is read: titles alone are texts, empty passages are none", async () => {
  const file = await saved({ id: "a", text: "", title: "T" }, { id: "b", text: " ", title: "" }, { id: "c", text: "x" })
  const streamed = await Effect.runPromise(Stream.runCollect(streamCorpus(file)))
  assert.deepEqual(
    [...streamed],
    [
      { id: "a", text: "T" },
      { id: "c", text: "x" },
    ],
  )
  assert.deepEqual([...(await Effect.runPromise(readCorpus(file))).values()], [...streamed])
})

test("in an evaluation a question whose passages are all missing counts as not found; in training it is left out", async () => {
  const beir = async (positive: string): Promise<string> => {
    const path = await mkdtemp(join(folder, "beir-"))
    await writeFile(join(path, "corpus.jsonl"), '{"_id": "d", "text": "x"}\n')
    await writeFile(join(path, "queries.jsonl"), '{"_id": "q", "text": "a"}\n{"_id": "r", "text": "b"}\n')
    await mkdir(join(path, "qrels"))
    await writeFile(join(path, "qrels", "test.tsv"), `query-id\tcorpus-id\tscore\nq\t${positive}\t1\nr\tgone\t1\n`)
    return path
  }
  const path = await beir("d")
  assert.deepEqual(
    (await read(path)).examples.map(({ id }) => id),
    ["q"],
  )
  const evaluated = await read(path, { evaluation: true })
  assert.deepEqual(
    evaluated.examples.map(({ id, positives, relevance }) => [id, positives, relevance]),
    [
      ["q", ["d"], { d: 1 }],
      ["r", [], { gone: 1 }],
    ],
  )
  assert.equal((await failure(await beir("nowhere"), { evaluation: true }))._tag, "UnknownPassage")
})

test("an evaluation keeps answered questions without positives, and none that is marked as no question for its passage", async () => {
  const labelled = [
    { query: "who?", passage: "Ann did.", label: 1, answers: ["Ann"] },
    { query: "who?", passage: "Nobody knows.", label: 0, answers: ["Ann"] },
  ]
  const context = "Ann sings."
  const squad = [
    { id: "a", question: "who sings?", context, answers: { text: ["Ann"], answer_start: [0] } },
    { id: "b", question: "who sleeps?", context, answers: { text: ["Ann"] }, is_impossible: true },
  ]
  for (const [rows, kept] of [
    [labelled, ["who?"]],
    [squad, ["who sings?"]],
    [
      [
        { query: "who?", answers: ["Ann"] },
        { query: "where?", answers: [" "] },
      ],
      ["who?"],
    ],
  ] as const) {
    const file = await save(rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
    const { examples, statistics } = await read(file, { evaluation: true })
    assert.deepEqual(
      examples.map(({ query }) => query),
      kept,
    )
    assert.equal(statistics.droppedWithoutPositive, 1)
  }
})

test("titles that an encoder will not read are told", () => {
  assert.deepEqual(
    ignoredTitles([
      { id: "a", text: "x" },
      { id: "b", text: "x", title: "" },
    ]),
    [],
  )
  assert.equal(ignoredTitles([{ id: "a", text: "x", title: "t" }])[0]?.count, 1)
})
