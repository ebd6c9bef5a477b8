import assert from "node:assert/strict"
import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { Effect } from "effect"
import { makeForeignWorld, overlapWarnings } from "../src/index.ts"
import { readExamples } from "../src/node/Files.ts"
import { writeForeignWorld } from "../src/node/WorldFiles.ts"

const folder = await mkdtemp(join(tmpdir(), "foreign-world-"))
after(() => rm(folder, { recursive: true }))

const worlds = [1, 2].map((seed) => makeForeignWorld({ seed, readerLessons: 500 }))
const wordsOf = (text: string): string[] => text.toLowerCase().match(/\w+/g) ?? []

test("the same seed gives the same world byte for byte, in files too; another seed another world", async () => {
  const contents = async (seed: number, name: string) => {
    const world = makeForeignWorld({ seed, readerLessons: 20 })
    const { template, ...files } = await Effect.runPromise(writeForeignWorld(join(folder, name), world))
    assert.equal(await readFile(template, "utf8"), "{query} {context} {response}")
    return Promise.all(Object.values(files).map((file) => readFile(file, "utf8")))
  }
  const [first, again, other] = [await contents(1, "a"), await contents(1, "b"), await contents(2, "c")]
  assert.equal(first.length, 6)
  assert.deepEqual(again, first)
  for (const [index, text] of other.entries()) assert.notEqual(text, first[index])
})

test("the files are read as data: every answer in its passage, lessons with passages of their own", async () => {
  const [world] = worlds
  const files = await Effect.runPromise(writeForeignWorld(join(folder, "read"), world!))
  const read = (file: string) => Effect.runPromise(readExamples(file, { corpus: files.corpus }))
  const [dev, retriever, reader] = [await read(files.dev), await read(files.retriever), await read(files.reader)]
  for (const { statistics } of [dev, retriever, reader]) {
    assert.equal(statistics.droppedWithoutPositive, 0)
    assert.equal(statistics.answersNotInPositives, 0)
  }
  assert.deepEqual([dev.examples.length, retriever.examples.length, reader.examples.length], [256, 3072, 500])
  assert.deepEqual(overlapWarnings(retriever.examples, dev.examples), [])
})

for (const { seed, passages, train, dev, lessons, statistics } of worlds) {
  test(`foreign world ${seed}: counts, and nothing that says where training questions are answered`, () => {
    assert.equal(passages.length, 1024)
    assert.equal(new Set(passages.map(({ text }) => text)).size, 1024)
    assert.equal(new Set(train.map(({ query }) => query)).size, 2304)
    assert.ok(train.every(({ positives }) => positives.length === 0))
    assert.equal(new Set(lessons.retriever.map(({ query }) => query)).size, 3072)
    assert.deepEqual(statistics, {
      passages: 1024,
      trainingQuestions: 2304,
      evaluationQuestions: 256,
      unseenPhrasings: 128,
      retrieverLessons: 3072,
      readerLessons: 500,
    })
  })

  test(`foreign world ${seed}: questions and passages have no word in common, and answers stand in one passage`, () => {
    const told = new Set(passages.flatMap(({ text }) => wordsOf(text)))
    const asked = new Set([...train, ...dev].flatMap(({ query }) => wordsOf(query)))
    assert.deepEqual(
      [...asked].filter((word) => told.has(word)),
      [],
    )
    const texts = new Map(passages.map(({ id, text }) => [id, text]))
    for (const { positives, answers } of dev) assert.ok(texts.get(positives[0]!)?.includes(answers[0]!))
  })

  test(`foreign world ${seed}: three sets of inns, made of the same words`, () => {
    const innsOf = (all: readonly { readonly text: string }[]) =>
      new Set(all.map(({ text }) => /[Tt]he ([A-Z]\w+ [A-Z]\w+)/.exec(text)?.[1]))
    const gold = new Set(dev.flatMap(({ positives }) => positives))
    const [evaluated, trained] = [
      innsOf(passages.filter(({ id }) => gold.has(id))),
      innsOf(passages.filter(({ id }) => !gold.has(id))),
    ]
    const others = innsOf([...lessons.retriever, ...lessons.reader].flatMap(({ positives }) => positives))
    assert.deepEqual([evaluated.size, trained.size, others.size], [32, 96, 128])
    assert.equal(new Set([...evaluated, ...trained, ...others]).size, 256)
    const taught = new Set(train.flatMap(({ query }) => wordsOf(query)))
    for (const { query } of dev) for (const word of wordsOf(query)) assert.ok(taught.has(word), word)
  })
}

test("sizes that cannot be are refused", () => {
  assert.equal(makeForeignWorld({ seed: 1, inns: 8, readerLessons: 1 }).dev.length, 16)
  for (const inns of [0, 6, 256]) assert.throws(() => makeForeignWorld({ seed: 1, inns }), RangeError)
})
