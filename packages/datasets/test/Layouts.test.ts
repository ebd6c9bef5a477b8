// Data sets as tools write them (test/golden/layouts.py), each of which gives the same questions and passages.
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { Effect } from "effect"
import type { RetrievalData } from "../src/index.ts"
import { type ReadOptions, readCorpus, readExamples } from "../src/node/Files.ts"

const file = (name: string): string => fileURLToPath(new URL(`../../../test/golden/layouts/${name}`, import.meta.url))
const read = (name: string, options: ReadOptions = {}): Promise<RetrievalData> =>
  Effect.runPromise(readExamples(file(name), options))

const questions = ["who flew first, and where?", 'what is "red"?', "日本で最も高い山は?"]
const positives = [
  "The Wright brothers flew\nat Kitty Hawk, in 1903.",
  'A "red" thing; it is a colour.',
  "富士山は日本で最も高い山である。",
]
const negatives = ["A boat crossed the lake.", "Blue is another colour, too.", "琵琶湖は日本最大の湖である。"]
const others = ["Nobody flew there.", "Green grass.", "信濃川は川である。"]
const answers = [["1903", "Kitty Hawk"], ["a colour"], ["富士山"]]

/** What an example says, with its passages' texts for their ids. */
const texts = ({ examples, corpus }: RetrievalData) =>
  examples.map((example) => ({
    query: example.query,
    positives: example.positives.map((id) => corpus.get(id)?.text),
    negatives: example.negatives.map((id) => corpus.get(id)?.text),
    answers: example.answers,
  }))

interface Parts {
  readonly negatives?: readonly (readonly string[])[]
  readonly answers?: readonly (readonly string[])[]
}

const expected = (parts: Parts = {}) =>
  questions.map((query, at) => ({
    query,
    positives: [positives[at]],
    negatives: parts.negatives?.[at] ?? [],
    answers: parts.answers?.[at] ?? [],
  }))

const one = negatives.map((text) => [text])
const threeFiles = (name: string): readonly string[] => ["jsonl", "csv", "parquet"].map((ending) => `${name}.${ending}`)

const layouts: readonly (readonly [file: string, Parts, ReadOptions?])[] = [
  ...[...threeFiles("pair"), ...threeFiles("question-answer"), ...threeFiles("sentences")].map(
    (name): [string, Parts] => [name, {}],
  ),
  ...threeFiles("triplet").map((name): [string, Parts] => [name, { negatives: one }]),
  ...threeFiles("mined").map((name): [string, Parts] => [
    name,
    { negatives: negatives.map((text, at) => [text, others[at]!]) },
  ]),
  ...threeFiles("labelled").map((name): [string, Parts] => [name, {}]),
  ...threeFiles("squad-table").map((name): [string, Parts] => [name, { answers }]),
  ...["pandas-index.csv", "semicolons.csv", "tabs.tsv", "array.json"].map((name): [string, Parts] => [name, {}]),
  ...["snappy", "gzip", "brotli", "None"].map((packing): [string, Parts] => [`pandas-${packing}.parquet`, {}]),
  ["flagembedding.jsonl", { negatives: negatives.map((text, at) => [text, others[at]!]) }],
  ["tevatron.jsonl", { negatives: one }],
  ["plain-strings.jsonl", { negatives: one }],
  ["own.jsonl", { negatives: one, answers }, { corpus: file("corpus.jsonl") }],
  ["own.jsonl", { negatives: one, answers }, { corpus: file("pyserini.jsonl") }],
  ["own.jsonl", { negatives: one, answers }, { corpus: file("psgs.tsv") }],
  ...threeFiles("corpus-table").map((name): [string, Parts, ReadOptions] => [
    "own.jsonl",
    { negatives: one, answers },
    { corpus: file(name) },
  ]),
  ["dpr.json", { negatives: one, answers }],
  ["squad.json", { answers }],
  ["squad-shaped.json", { answers }],
  ["beir", {}],
]

const documented = readFileSync(new URL("../../../docs/data-layouts.md", import.meta.url), "utf8")

for (const [name, parts, options] of layouts) {
  const corpus = typeof options?.corpus === "string" ? ` with ${options.corpus.split("/").at(-1)}` : ""
  test(`${name}${corpus}`, async () => {
    const data = await read(name, options)
    const found = texts(data)
    assert.deepEqual(
      name === "beir" ? found.map((row) => ({ ...row, positives: row.positives.slice(0, 1) })) : found,
      expected(parts),
    )
    for (const part of [name, options?.corpus].flatMap((path) =>
      typeof path === "string" ? path.split("/").at(-1)! : [],
    ))
      assert.ok(documented.includes(part.replace(/\.(?:jsonl|csv|parquet)$/, "")), `docs/data-layouts.md lacks ${part}`)
  })
}

test("zstd is unpacked where the runtime can, and refused with its name where not", async () => {
  const result = await Effect.runPromise(Effect.result(readExamples(file("pandas-zstd.parquet"))))
  const { zstdDecompressSync } = await import("node:zlib")
  if (typeof zstdDecompressSync === "function") assert.equal(result._tag, "Success")
  else assert.equal(result._tag === "Failure" && result.failure._tag, "InvalidParquet")
})

test("questions and answers alone, for evaluation", async () => {
  const data = await read("qa.tsv", { evaluation: true })
  assert.deepEqual(
    data.examples.map(({ query }) => query),
    questions,
  )
  assert.deepEqual(
    data.examples.map((example) => example.answers),
    answers,
  )
})

test("passages as bare strings make a corpus", async () => {
  const corpus = await Effect.runPromise(readCorpus(file("strings.jsonl")))
  assert.deepEqual(
    [...corpus.values()].map(({ text }) => text),
    [...positives, ...negatives],
  )
})

test("what published data sets lack or leave empty is counted, and told", async () => {
  const of = ({ warnings }: RetrievalData) =>
    Object.fromEntries(warnings.map(({ kind, count, examples }) => [kind, [count, ...examples]]))
  const beir = await read("beir")
  assert.deepEqual(of(beir), {
    "title-alone": [1, "title"],
    "empty-passage": [1, "empty"],
    "missing-question": [1, "q99"],
    "missing-passage": [1, "gone"],
  })
  assert.deepEqual(beir.examples[1]?.relevance, { p1: 2, gone: 1 })
  assert.deepEqual(beir.examples[0]?.positives, ["p0", "n1"])
  assert.equal(beir.corpus.get("title")?.text, "A title alone")
  assert.deepEqual(Object.keys(of(await read("squad.json"))), ["unanswerable"])
  assert.deepEqual(of(await read("squad-shaped.json"))["empty-question"], [3, "10", "11", "12"])
})
