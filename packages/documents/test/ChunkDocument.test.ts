import assert from "node:assert/strict"
import { test } from "node:test"
import { type Chunk, type ChunkOptions, chunkDocument, countBy, makeDocument, paragraphsOf } from "@tandem/documents"
import { makeTokenizer, trainWordPiece } from "@tandem/models"
import { Random } from "@tandem/random"

const documentOf = (text: string) => makeDocument("a.txt", paragraphsOf(text))
const countWords = (text: string): number => text.match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]+/gu)?.length ?? 0
const tokenizer = makeTokenizer(
  trainWordPiece(["the river carries snow to the sea and ships sail to the island"], { vocabularySize: 80 }),
)
const sentence = (n: number): string => `The river ${n} carries snow to the sea.`
const paragraph = (from: number, sentences: number): string =>
  Array.from({ length: sentences }, (_, i) => sentence(from + i)).join(" ")

/** Every character that is no white space stands in a chunk, in order. */
const assertCovers = (text: string, chunks: readonly Chunk[], overlap: number): void => {
  let done = 0
  for (const { start, end, text: chunk } of chunks) {
    assert.equal(text.slice(start, end), chunk)
    assert.equal(text.slice(done, Math.max(done, start)).trim(), "")
    if (overlap === 0) assert.ok(start >= done)
    assert.ok(end > done)
    done = end
  }
  assert.equal(text.slice(done).trim(), "")
}

test("chunks end with paragraphs, else with sentences, and with words only in sentences that are too long", () => {
  const options = { maxTokens: 20, countTokens: countWords }
  const short = documentOf([paragraph(0, 1), paragraph(1, 1), paragraph(2, 1)].join("\n\n"))
  assert.deepEqual(
    chunkDocument(short, options).map(({ text }) => text),
    [`${paragraph(0, 1)}\n\n${paragraph(1, 1)}`, paragraph(2, 1)],
  )
  const long = documentOf(paragraph(0, 3))
  assert.deepEqual(
    chunkDocument(long, options).map(({ text }) => text),
    [paragraph(0, 2), sentence(2)],
  )
  const words = Array.from({ length: 45 }, (_, i) => `word${i}`)
  assert.deepEqual(
    chunkDocument(documentOf(words.join(" ")), options).map(({ text }) => text.split(" ").length),
    [20, 20, 5],
  )
})

test("a line's end inside a sentence does not end it", () => {
  const text = `${"The river carries so much snow to the sea in spring that".padEnd(62, "!")}\nships wait. Then they sail.`
  const chunks = chunkDocument(documentOf(text), { maxTokens: 16, countTokens: countWords })
  assert.ok(chunks[0]!.text.endsWith("wait."))
})

test("lines and white space without end take time in proportion to their length", () => {
  const options = { maxTokens: 200, countTokens: countWords }
  for (const text of [
    "x".repeat(300_000),
    `a${" ".repeat(300_000)}b`,
    "a ".repeat(60_000),
    `${"word ".repeat(20)}\n`.repeat(2000),
  ]) {
    const chunks = chunkDocument({ ...documentOf(text), text }, options)
    assertCovers(text, chunks, 0)
  }
})

test("a heading begins a chunk and stays with what follows", () => {
  const document = makeDocument("a.md", [
    { text: "Rivers", level: 1 },
    { text: paragraph(0, 1) },
    { text: paragraph(1, 1) },
    { text: "Seas", level: 2 },
    { text: paragraph(2, 2) },
  ])
  const chunks = chunkDocument(document, { maxTokens: 20, countTokens: countWords })
  assert.deepEqual(
    chunks.map(({ heading, text }) => [heading, text.split("\n")[0]]),
    [
      ["Rivers", "Rivers"],
      ["Seas", "Seas"],
    ],
  )
  const crowded = chunkDocument(
    makeDocument("a.md", [{ text: paragraph(0, 1) }, { text: "Seas", level: 1 }, { text: paragraph(1, 1) }]),
    { maxTokens: 16, countTokens: countWords },
  )
  assert.deepEqual(
    crowded.map(({ text }) => text.split("\n")[0]),
    [sentence(0), "Seas"],
  )
})

test("chunks overlap by whole sentences", () => {
  const chunks = chunkDocument(documentOf(paragraph(0, 6)), { maxTokens: 27, overlap: 9, countTokens: countWords })
  assert.deepEqual(
    chunks.map(({ text }) => text),
    [paragraph(0, 3), paragraph(2, 3), paragraph(4, 2)],
  )
})

test("languages without spaces are divided at their sentences and words", () => {
  const count = (text: string): number => [...text].filter((letter) => letter.trim() !== "").length
  const chinese = "雪落在山上。船驶向岛屿。河流把雪带到大海。"
  assert.deepEqual(
    chunkDocument(documentOf(chinese), { maxTokens: 16, countTokens: count }).map(({ text }) => text),
    ["雪落在山上。船驶向岛屿。", "河流把雪带到大海。"],
  )
  const thai = "แม่น้ำพัดพาหิมะไปสู่ทะเลและเรือแล่นไปยังเกาะในฤดูใบไม้ผลิ"
  const chunks = chunkDocument(documentOf(thai), { maxTokens: 30, countTokens: count })
  assert.ok(chunks.length > 1)
  assert.equal(chunks.map(({ text }) => text).join(""), thai)
})

test("ids stay where source and text stay, and tell equal texts of a document apart", () => {
  const options = { maxTokens: 18, countTokens: countWords }
  const before = chunkDocument(documentOf([paragraph(0, 2), paragraph(9, 2)].join("\n\n")), options)
  const after = chunkDocument(documentOf([paragraph(5, 2), paragraph(9, 2)].join("\n\n")), options)
  assert.notEqual(before[0]!.id, after[0]!.id)
  assert.equal(before[1]!.id, after[1]!.id)
  const twice = chunkDocument(documentOf([paragraph(0, 2), paragraph(0, 2)].join("\n\n")), options)
  assert.equal(new Set(twice.map(({ id }) => id)).size, 2)
})

test("impossible sizes are refused", () => {
  const refused = (options: Omit<ChunkOptions, "countTokens">) =>
    assert.throws(() => chunkDocument(documentOf("a"), { ...options, countTokens: countWords }), {
      _tag: "InvalidChunking",
    })
  refused({ maxTokens: 3 })
  refused({ maxTokens: Number.NaN })
  refused({ maxTokens: 20, overlap: 11 })
  refused({ maxTokens: 20, overlap: -1 })
})

test("whatever the text, nothing is lost and no chunk is over the limit", () => {
  const parts = [
    "river ",
    "snow, ",
    "the sea. ",
    "A new one! ",
    "\n",
    "\n\n",
    " \n \n",
    "x".repeat(400),
    "https://example.org/a/very/long/path?with=query&and=more",
    "雪落在山上。",
    "河流把雪带到大海",
    "แม่น้ำพัดพาหิมะ",
    "👩‍👩‍👧‍👦",
    "e\u0301".repeat(30),
    "\u0336".repeat(250),
    "\ud800",
    "🏔️",
    "\t",
    "\u00a0",
    "\u3000",
    "don't 3.14 ",
  ]
  // More tokens for a whole than for its parts, as merges of byte pairs may have.
  const jealous = (text: string): number => Math.ceil([...text.trim()].length * (text.length > 60 ? 0.7 : 0.5))
  for (const [name, countTokens] of [
    ["word pieces", countBy(tokenizer)],
    ["words", countWords],
    ["bytes", (text: string) => new TextEncoder().encode(text.trim()).length],
    ["more for the whole", jealous],
  ] as const) {
    for (let seed = 0; seed < 60; seed++) {
      const random = Random.fromSeed(`${name} ${seed}`)
      const text = Array.from({ length: 5 + random.integer(80) }, () => random.choice(parts)).join("")
      const maxTokens = 16 + random.integer(60)
      const overlap = random.chance(0.5) ? 0 : random.integer(Math.floor(maxTokens / 2))
      const document = { ...documentOf(text), text }
      const chunks = chunkDocument(document, { maxTokens, overlap, countTokens })
      assertCovers(text, chunks, overlap)
      for (const chunk of chunks) {
        assert.ok(
          countTokens(chunk.text) <= maxTokens,
          `${name}, seed ${seed}: ${countTokens(chunk.text)} > ${maxTokens}`,
        )
        assert.ok([...chunk.text].length > 0)
      }
      assert.equal(new Set(chunks.map(({ id }) => id)).size, chunks.length)
    }
  }
})
