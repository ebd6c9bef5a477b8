import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type Example,
  overlapWarnings,
  parseDpr,
  parseQrels,
  parseTrecRun,
  RetrievalDataBuilder,
  recogniseFormat,
  sameDocumentNegatives,
  trecRun,
} from "../src/index.ts"
import { parsePythonStrings } from "../src/internal/PythonLiteral.ts"
import { splitTsv, tsvField } from "../src/internal/Tsv.ts"

const collect = async <A>(items: AsyncIterable<A>): Promise<A[]> => {
  const all: A[] = []
  for await (const item of items) all.push(item)
  return all
}

test("a DPR array is read alike however the text is cut into pieces", async () => {
  const rows = [
    { question: 'a "quoted] [question\\', positive_ctxs: [{ text: '}{ ][ \\"' }] },
    { question: "b", answers: ["ü", "\n"], positive_ctxs: [{ text: "x", title: null }] },
  ]
  const text = `\n ${JSON.stringify(rows, undefined, 1)}\n`
  const whole = await collect(parseDpr({ file: "f", chunks: pieces(text, text.length) }))
  assert.equal(whole[0]?.example.query, rows[0]?.question)
  for (const size of [1, 2, 3, 7]) {
    assert.deepEqual(await collect(parseDpr({ file: "f", chunks: pieces(text, size) })), whole)
  }
})

async function* pieces(text: string, size: number): AsyncGenerator<string> {
  for (let start = 0; start < text.length; start += size) yield text.slice(start, start + size)
}

test("a DPR array is streamed: rows come before the text has ended", async () => {
  let given = 0
  async function* endless(): AsyncGenerator<string> {
    yield "["
    for (;;) {
      given++
      yield `${given > 1 ? "," : ""}{"question": "q${given}", "positive_ctxs": [{"text": "t${given}"}]}`
    }
  }
  const rows = parseDpr({ file: "endless", chunks: endless() })
  for (let index = 1; index <= 100; index++) assert.equal((await rows.next()).value?.example.query, `q${index}`)
  assert.ok(given <= 101)
})

test("Python lists of strings", () => {
  const cases: readonly (readonly [string, readonly string[] | undefined])[] = [
    ["[]", []],
    ["['a', \"b's\", u'c']", ["a", "b's", "c"]],
    ["['it\\'s', '\\x41\\u00e9\\n', 'a' 'b',]", ["it's", "Aé\n", "ab"]],
    ["('x',)", ["x"]],
    ["['a', 3]", undefined],
    ["['a' 'b", undefined],
    ["['a]", undefined],
    ["[f()]", undefined],
    ["text", undefined],
  ]
  for (const [literal, strings] of cases) assert.deepEqual(parsePythonStrings(literal), strings, literal)
})

test("fields of TSV survive writing and reading", () => {
  const fields = ['a "b" c', '"', "tab\there", "line\nbreak", "plain", ""]
  assert.deepEqual(splitTsv(fields.map(tsvField).join("\t")), fields)
  // Quotes that no writer of quoted fields leaves are text.
  assert.deepEqual(splitTsv('"a" b\tc'), ['"a" b', "c"])
  assert.deepEqual(splitTsv('"a "b""\tsaid "c"'), ['"a "b""', 'said "c"'])
  assert.equal(splitTsv('"open\tc'), undefined)
})

test("formats are recognised by content, even from a part of a file", () => {
  assert.equal(recogniseFormat('{"version": "1.1", "data": [{"ti'), "squad")
  assert.equal(recogniseFormat('\n[\n {"dataset": "nq", "question": "a", "answ'), "dpr")
  assert.equal(recogniseFormat('{"question": "a"}\n'), "dpr")
  assert.equal(recogniseFormat('{"id": "a", "query": "data"}\n'), "jsonl")
  assert.equal(recogniseFormat('{"_id": "a", "title": "\\"query\\":", "text": ""}\n'), "corpus")
  assert.equal(recogniseFormat("id\ttext\ttitle\n"), "dpr-corpus")
  assert.equal(recogniseFormat("who\t['a']\n"), "dpr-qa")
  assert.equal(recogniseFormat("query-id\tcorpus-id\tscore\n"), "beir")
  assert.equal(recogniseFormat("[1, 2]"), undefined)
  assert.equal(recogniseFormat("PK\u0003\u0004"), undefined)
})

test("TREC: judgements, runs, ties by descending id", () => {
  assert.equal(parseQrels("1 0 d1 2\n1 0 d2 0\n").get("1")?.get("d1"), 2)
  const text = [...trecRun(parseTrecRun("1 Q0 a 1 0.5 x\n1 Q0 b 2 0.5 x\n1 Q0 c 3 0.75 x\n"), "t")].join("")
  assert.equal(text, "1 Q0 c 1 0.75 t\n1 Q0 b 2 0.5 t\n1 Q0 a 3 0.5 t\n")
  assert.throws(() => parseQrels("1 0 d1\n", "q"), { _tag: "InvalidRow", line: 1 })
})

test("overlap warnings go by words", () => {
  const example = (id: string, query: string): Example => ({ id, query, positives: [], negatives: [], answers: [] })
  const warnings = overlapWarnings(
    [example("1", "Who was it?"), example("2", "who was  it")],
    [example("3", "WHO, was it!")],
  )
  assert.deepEqual(
    warnings.map(({ kind, count, examples }) => [kind, count, examples]),
    [
      ["question-in-both-sets", 1, ["3"]],
      ["duplicate-question", 1, ["2"]],
    ],
  )
  assert.deepEqual(overlapWarnings([example("1", "a")], [example("2", "b")]), [])
})

test("negatives of the same document: seeded, never a positive, never with the answer", () => {
  const builder = new RetrievalDataBuilder()
  const texts = ["the red fox", "a red hen", "a blue hen", "a green hen"]
  texts.forEach((text, index) => {
    builder.addPassage({ passage: { id: `p${index}`, text, metadata: { document: "d" } }, file: "f", line: index })
  })
  builder.addPassage({ passage: { id: "other", text: "x", metadata: { document: "e" } }, file: "f", line: 9 })
  const example = { id: "q", query: "which colour", positives: ["p0"], negatives: [], answers: ["Red"] }
  builder.addExample({ example, passages: [], file: "f", line: 1 })
  const data = builder.finish()
  const drawn = sameDocumentNegatives(data, { seed: 1, perExample: 5 })
  assert.deepEqual([...(drawn.examples[0]?.negatives ?? [])].sort(), ["p2", "p3"])
  assert.deepEqual(sameDocumentNegatives(data, { seed: 1 }), sameDocumentNegatives(data, { seed: 1 }))
  const all = sameDocumentNegatives(data, { seed: 1, perExample: 5, vetoAnswers: false })
  assert.equal(all.examples[0]?.negatives.length, 3)
  assert.equal(all.statistics.withNegatives, 1)
})

test("ids of examples are unique; a negative that is a positive is left out", () => {
  const builder = new RetrievalDataBuilder()
  const passages = [{ id: "p", text: "x" }]
  for (let line = 1; line <= 3; line++) {
    builder.addExample({
      example: { id: "a", query: "q", positives: ["p"], negatives: ["p"], answers: [] },
      passages,
      file: "f",
      line,
    })
  }
  const { examples } = builder.finish()
  assert.deepEqual(
    examples.map(({ id }) => id),
    ["a", "a#2", "a#3"],
  )
  assert.deepEqual(examples[0]?.negatives, [])
})
