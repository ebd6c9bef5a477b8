// Damaged rows end in an error that names file and line, or leave every other row as it is: none is swallowed, none appears.
// $TANDEM_FUZZ mutations of each file; 500 where it is not set.
import assert from "node:assert/strict"
import { test } from "node:test"
import { Random } from "@tandem/random"
import {
  beirJudgements,
  corpusLines,
  dprCorpusTsv,
  exampleLines,
  isDatasetError,
  parseBeir,
  parseCorpus,
  parseDprCorpus,
  parseDprQa,
  parseExamples,
  type Source,
  sourceOf,
} from "../src/index.ts"
import { exampleRows } from "../src/JsonLines.ts"
import { csvRows } from "../src/node/Csv.ts"

const rounds = Number(process.env["TANDEM_FUZZ"] ?? 500)

/** A row without its place, and where it starts. */
interface Row {
  readonly line: number
  readonly content: string
}
type Read = (source: Source) => AsyncIterable<{ readonly line: number }>

const rowsOf = async (read: Read, source: Source): Promise<readonly Row[]> => {
  const rows: Row[] = []
  for await (const row of read(source)) {
    const { line, ...content } = row
    rows.push({ line, content: JSON.stringify(content) })
  }
  return rows
}

/** Rows, or undefined where reading ends in an error; only one that says where is allowed. */
const attempt = async (read: Read, source: Source, what: string): Promise<readonly Row[] | undefined> => {
  try {
    return await rowsOf(read, source)
  } catch (error) {
    assert.ok(isDatasetError(error), `${what}: ${error instanceof Error ? error.stack : String(error)}`)
    assert.ok(error.file === "f" && typeof error.line === "number", `${what}: ${error.message}`)
    return undefined
  }
}

async function* pieces(text: string, random: Random): AsyncGenerator<string> {
  for (let start = 0; start < text.length; ) {
    const size = 1 + random.integer(40)
    yield text.slice(start, start + size)
    start += size
  }
}

const nasty = [..."\"'\t\n\r,;:\\\\{}[]()0aé\u0000\ufeff\u2028", '""', "\r\n", '",', '"\t', "\ud800"]

/** A damaged text and the place of the damage in the whole one. */
const damaged = (text: string, from: number, random: Random) => {
  const at = from + random.integer(text.length - from)
  const length = random.integer(3)
  const put = random.integer(3) === 0 ? "" : random.choice(nasty)
  return { text: text.slice(0, at) + put + text.slice(at + length), at, end: at + length }
}

const lineAt = (text: string, at: number): number => text.slice(0, at).split("\n").length

const words = ["red", "river", "flew", "日本", "it's", 'said "no"', "a, b; c", "back\\slash", "é", "1903"]
const random = Random.fromSeed("texts")
const textOf = (breaks: boolean): string =>
  Array.from({ length: 2 + random.integer(6) }, () => random.choice(words)).join(
    breaks && random.integer(6) === 0 ? "\n" : " ",
  )

const passages = Array.from({ length: 40 }, (_, at) => ({ id: `p${at}`, text: textOf(true), title: textOf(false) }))
const examples = Array.from({ length: 40 }, (_, at) => ({
  id: `q${at}`,
  query: textOf(false),
  positives: [`p${at}`],
  negatives: [`p${(at + 1) % 40}`],
  answers: [textOf(false)],
  weight: 1 + (at % 3),
  relevance: { [`p${at}`]: 1 + (at % 2), [`p${(at + 7) % 40}`]: 0 },
}))

const cell = (text: string): string => (/[",;\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)
const queries = examples.map(({ id, query }) => `${JSON.stringify({ _id: id, text: query })}\n`).join("")

const files: Readonly<Record<string, { readonly text: string; readonly head: number; readonly read: Read }>> = {
  "examples as JSON Lines": { text: [...exampleLines(examples)].join(""), head: 0, read: parseExamples },
  "a corpus as JSON Lines": { text: [...corpusLines(passages)].join(""), head: 0, read: parseCorpus },
  "a corpus as TSV": { text: [...dprCorpusTsv(passages)].join(""), head: 1, read: parseDprCorpus },
  "questions and answers as TSV": {
    text: examples.map(({ query }, at) => `${query.replaceAll('"', "")}\t['a${at}', "it's"]\n`).join(""),
    head: 1,
    read: parseDprQa,
  },
  "pairs as CSV": {
    text: `anchor,positive,negative,lang\n${passages.map(({ text, title }, at) => [title, text, passages[(at + 1) % 40]!.text, "en"].map(cell).join()).join("\n")}\n`,
    head: 1,
    read: (source) => exampleRows(csvRows(source), source.file),
  },
}

for (const [name, { text, head, read }] of Object.entries(files)) {
  test(`${name}: ${rounds} mutations`, async () => {
    const whole = await rowsOf(read, sourceOf(text, "f"))
    assert.equal(whole.length, 40)
    const start = text.split("\n").slice(0, head).join("\n").length
    let refused = 0
    let read2 = 0
    for (let round = 0; round < rounds; round++) {
      const own = Random.fromSeed(`${name} ${round}`)
      const change = damaged(text, start, own)
      const what = `${name}, round ${round}: ${JSON.stringify(change.text.slice(Math.max(0, change.at - 60), change.at + 60))}`
      const rows = await attempt(read, sourceOf(change.text, "f"), what)
      const inPieces = await attempt(read, { file: "f", chunks: pieces(change.text, own) }, what)
      assert.deepEqual(inPieces, rows, what)
      if (rows === undefined) {
        refused++
        continue
      }
      read2++
      const [first, last] = [lineAt(text, change.at), lineAt(text, change.end)]
      const before = whole.filter((_, at) => (whole[at + 1]?.line ?? Number.POSITIVE_INFINITY) <= first)
      const after = whole.filter(({ line }) => line > last)
      const contents = rows.map(({ content }) => content)
      assert.equal(rows.length, whole.length, what)
      assert.deepEqual(
        contents.slice(0, before.length),
        before.map(({ content }) => content),
        what,
      )
      assert.deepEqual(
        contents.slice(contents.length - after.length),
        after.map(({ content }) => content),
        what,
      )
    }
    assert.ok(refused > 0 && read2 > 0, `${refused} refused, ${read2} read`)
  })
}

test(`judgements as TSV: ${rounds} mutations`, async () => {
  const text = [...beirJudgements({ examples })].join("")
  const judgementsIn = async (judgements: Source) => {
    const found = new Map<string, number>()
    for await (const { example, remarks = [] } of parseBeir(sourceOf(queries, "queries"), judgements)) {
      for (const [passage, grade] of Object.entries(example.relevance ?? {}))
        found.set(`${example.id} ${passage}`, grade)
      for (const { subject } of remarks) found.set(`missing ${subject}`, 0)
    }
    return found
  }
  const whole = await judgementsIn(sourceOf(text, "f"))
  const start = text.indexOf("\n")
  for (let round = 0; round < rounds; round++) {
    const change = damaged(text, start, Random.fromSeed(`judgements ${round}`))
    const what = `round ${round}: ${JSON.stringify(change.text.slice(Math.max(0, change.at - 40), change.at + 40))}`
    try {
      const found = await judgementsIn(sourceOf(change.text, "f"))
      const changed = [...whole].filter(([pair, grade]) => found.get(pair) !== grade)
      const added = [...found].filter(([pair, grade]) => whole.get(pair) !== grade)
      assert.ok(changed.length <= 2 && added.length <= changed.length, `${what}: ${changed} became ${added}`)
    } catch (error) {
      assert.ok(isDatasetError(error), `${what}: ${error instanceof Error ? error.stack : String(error)}`)
      assert.ok(error.file === "f" && typeof error.line === "number", `${what}: ${error.message}`)
    }
  }
})
