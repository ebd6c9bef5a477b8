import assert from "node:assert/strict"
import { test } from "node:test"
import { type Chunk, chunkDocument, makeDocument } from "@tandem/documents"
import { Random } from "@tandem/random"
import { tuneData } from "../src/TuneData.ts"
import { askChunk, comparable } from "../src/WeakQuestions.ts"

const countTokens = (text: string): number => text.match(/\S+/g)?.length ?? 0
const chunksOf = (source: string, lines: readonly string[]): readonly Chunk[] =>
  chunkDocument(
    makeDocument(
      source,
      lines.map((text) => (text.startsWith("# ") ? { text: text.slice(2), level: 1 } : { text })),
      `Guide ${source}`,
    ),
    { maxTokens: 60, countTokens },
  )

const options = { random: Random.fromSeed(1), perChunk: 3, isUsual: () => false }

test("headings and sentences become questions, and leave the text that they are to find", () => {
  const [chunk] = chunksOf("a.md", [
    "# Rivers of the north",
    "The rivers of the north carry snow to the sea. They freeze in the winter months. People cross them on foot then. Nobody knows how many there are in all.",
  ])
  const { text, questions } = askChunk(chunk!, options)
  assert.equal(questions[0]?.query, "Guide a.md: Rivers of the north")
  assert.ok(questions.length >= 2)
  for (const { query } of questions.slice(1)) {
    assert.ok(chunk!.text.includes(query))
    assert.ok(!text.includes(query))
  }
  assert.ok(!text.includes("Rivers of the north"))
  assert.ok(text.length >= chunk!.text.length / 2)
})

test("code and lists of links are no questions, and usual headings are none either", () => {
  const [chunk] = chunksOf("a.md", ["# License", "const a = [1, 2, 3]; f(a);", "- one | two | https://example.org/1"])
  assert.deepEqual(askChunk(chunk!, { ...options, isUsual: () => true }).questions, [])
})

const places = ["bridge", "market", "harbour", "tower", "castle", "garden"]
const town = (name: string): readonly Chunk[] =>
  chunksOf(
    `${name}.md`,
    places.flatMap((place, index) => [
      `# The ${place} of ${name}`,
      `The old ${place} of ${name} was built by ${name} people in ${1500 + index}. Many ${name} guests come for the ${place} in spring. There is much ${name} work around the ${place} of this ${name} town.`,
    ]),
  )

test("held-out questions are about other documents, none is one that was trained on, and what says nearly the same counts once", () => {
  const names = ["Alba", "Brema", "Corda", "Dorn", "Elm", "Fjord", "Gent", "Holm", "Isar", "Jena"]
  const again = town("Alba").map((chunk) => ({ ...chunk, id: `${chunk.id}-again`, text: `${chunk.text} So they say.` }))
  const chunks = [...names.flatMap(town), ...again]
  const settings = { seed: 3, heldOut: 0.3, perChunk: 2 }
  const data = tuneData(chunks, settings)
  assert.deepEqual(data, tuneData(chunks, settings))
  assert.deepEqual(data.groups, { train: 7, dev: 3 })
  assert.equal(data.corpus.length, names.flatMap(town).length)
  const documents = new Map(data.corpus.map(({ id, metadata }) => [id, metadata?.["document"]]))
  const of = (examples: typeof data.train) => new Set(examples.map(({ positives: [id] }) => documents.get(id!)))
  assert.equal(of(data.dev).size, 3)
  for (const document of of(data.dev)) assert.ok(!of(data.train).has(document))
  const trained = new Set(data.train.map(({ query }) => comparable(query)))
  for (const { query } of data.dev) assert.ok(!trained.has(comparable(query)))
  for (const { positives, negatives } of data.train) {
    assert.ok(negatives.length > 0)
    assert.ok(!negatives.includes(positives[0]!))
    for (const id of negatives) assert.ok(!of(data.dev).has(documents.get(id)))
  }
})

test("what answers a question, too, is no negative: the rest of its section; and what several say is no question", () => {
  const long = (part: string) =>
    Array.from({ length: 3 }, (_, i) => `A pump of kind ${i} has ${part} with a ${part} cover, told about here.`).join(
      " ",
    )
  const copied = "Whoever owns a pump takes two litres of clean water along."
  const chunks = Array.from({ length: 10 }, (_, n) =>
    chunksOf(`${n}.md`, [`# Starting pump ${n}`, long(`valve ${n}`), `${copied} ${long(`lid ${n}`)}`]),
  ).flat()
  const parts = new Map(chunks.map((chunk) => [chunk.id, chunk]))
  const { train, corpus } = tuneData(chunks, { seed: 1, heldOut: 0.2, perChunk: 3 })
  const texts = new Map(corpus.map(({ id, text }) => [id, comparable(text)]))
  assert.ok(train.some(({ metadata }) => metadata?.["kind"] === "heading"))
  for (const { query, positives, negatives, metadata } of train) {
    assert.notEqual(query, copied)
    const own = parts.get(positives[0]!)
    for (const id of negatives) {
      const other = parts.get(id)
      assert.ok(!texts.get(id)?.includes(comparable(query)), query)
      assert.ok(metadata?.["kind"] !== "heading" || other?.source !== own?.source || other?.heading !== own?.heading)
    }
  }
})

test("a single document is divided into parts to hold out", () => {
  const long = chunksOf(
    "book.txt",
    Array.from(
      { length: 60 },
      (_, i) =>
        `Chapter ${i} tells of year ${1900 + i} in the valley. The harvest ${1900 + i} was good all over. Snow came in winter ${i} of the book. All people of house ${i} stayed at home for ${i} weeks.`,
    ),
  )
  const { train, dev, groups } = tuneData(long, { seed: 0, heldOut: 0.2, perChunk: 2 })
  assert.ok(groups.dev >= 1 && train.length > dev.length && dev.length > 0)
})

test("a question that is asked again is one that several passages answer, or none where these are of several documents", () => {
  const chunks = Array.from({ length: 10 }, (_, n) =>
    ["north", "south"].flatMap((part) =>
      chunksOf(`${n}.md`, [
        `# The ${part} of valley ${n}`,
        `In the ${part} of valley ${n} people build ${part} barns of ${n} logs. ${part} winds ${n} dry their ${part} hay.`,
      ]).map((chunk, index) => ({ ...chunk, id: `${n}-${part}-${index}`, index: part === "north" ? 0 : 1 })),
    ),
  ).flat()
  const questions = new Map(
    chunks.map(({ id, source }) => [
      id,
      [
        { question: `What do they build in ${source}?`, answer: id.includes("north") ? "barns" : "Barns of logs" },
        { question: "Who dries hay?", answer: "people" },
      ],
    ]),
  )
  const { train, dev } = tuneData(chunks, { seed: 1, heldOut: 0.2, perChunk: 2, questions })
  assert.equal(train.length + dev.length, 10)
  for (const { query, positives, answers, negatives } of [...train, ...dev]) {
    assert.match(query, /What do they build/)
    assert.deepEqual([positives.length, answers.length], [2, 2])
    assert.ok(positives.every((id) => !negatives.includes(id)))
  }
  assert.ok(train.every(({ negatives }) => negatives.length > 0))
})
