import assert from "node:assert/strict"
import { mkdtemp, readFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { test } from "node:test"
import { Effect } from "effect"
import { type Example, makeWorld, overlapWarnings, type Passage, worldRelations } from "../src/index.ts"
import { readExamples } from "../src/node/Files.ts"
import { writeWorld } from "../src/node/WorldFiles.ts"

const worlds = [1, 2, 3, 4].map((seed) => makeWorld({ seed }))
const relationOf = ({ metadata }: Example): string => String(metadata?.["relation"])
const isUnseen = ({ metadata }: Example): boolean => metadata?.["phrasing"] === "unseen"
const words = (text: string): string[] => text.toLowerCase().match(/\w+/g) ?? []

/** A question without the name and the frame around it, so that phrasings can be compared. */
const phrasing = ({ query, group }: Example): string => {
  assert.ok(group !== undefined && query.includes(group), query)
  const frame =
    /^(Tell me|One more question|Please give|Please|I wonder|Does anyone know|Name|I want to know|I am looking for)[,:]? /
  return query.replace(group, "{e}").replace(frame, "").replace(/[?.]$/, "").toLowerCase()
}

test("the same seed gives the same world byte for byte, in files too; another seed another world", async () => {
  const folder = await mkdtemp(join(tmpdir(), "world-"))
  const contents = async (seed: number, name: string) => {
    const files = await Effect.runPromise(writeWorld(join(folder, name), makeWorld({ seed })))
    return Promise.all(Object.values(files).map((file) => readFile(file, "utf8")))
  }
  const [first, again, other] = [await contents(1, "a"), await contents(1, "b"), await contents(2, "c")]
  assert.equal(first.length, 4)
  assert.deepEqual(again, first)
  for (const [index, text] of other.entries()) assert.notEqual(text, first[index])
  assert.equal(JSON.parse(first[3] ?? "").statistics.relations, 40)
})

test("the files are read as training data: nothing dropped, every answer in its passage, no question in both sets", async () => {
  const folder = await mkdtemp(join(tmpdir(), "world-"))
  const files = await Effect.runPromise(writeWorld(folder, makeWorld({ seed: 5 })))
  const [train, dev] = await Effect.runPromise(
    Effect.all([
      readExamples(files.train, { corpus: files.corpus }),
      readExamples(files.dev, { corpus: files.corpus }),
    ]),
  )
  for (const { statistics } of [train, dev]) {
    assert.equal(statistics.passages, 3200)
    assert.equal(statistics.droppedWithoutPositive, 0)
    assert.equal(statistics.answersNotInPositives, 0)
  }
  assert.deepEqual([train.examples.length, dev.examples.length], [11_200, 960])
  assert.deepEqual(overlapWarnings(train.examples, dev.examples), [])
})

for (const { seed, passages, train, dev, statistics } of worlds) {
  test(`world ${seed}: counts, and passages of a sentence or two`, () => {
    assert.equal(passages.length, 3200)
    assert.equal(new Set(passages.map(({ id }) => id)).size, 3200)
    assert.equal(new Set(passages.map(({ text }) => text)).size, 3200)
    assert.equal(statistics.relations, 40)
    assert.equal(new Set(dev.map(relationOf)).size, 40)
    assert.deepEqual(new Set(train.map(relationOf)), new Set(dev.map(relationOf)))
    const lengths = passages.map(({ text }) => words(text).length)
    assert.ok(Math.max(...lengths) <= 36, `${Math.max(...lengths)} words`)
    const mean = lengths.reduce((sum, length) => sum + length, 0) / lengths.length
    assert.ok(mean > 12 && mean < 30, `${mean} words`)
  })

  test(`world ${seed}: evaluation is about things that no training question names, made of parts that they do name`, () => {
    const subjects = new Set(dev.map(({ group }) => group ?? ""))
    assert.equal(subjects.size, 120)
    const queries = train.map(({ query }) => query)
    const text = queries.join("\n")
    const taught = new Set(words(text))
    for (const subject of subjects) {
      assert.ok(!text.includes(subject), subject)
      for (const part of words(subject)) assert.ok(taught.has(part), part)
    }
  })

  test(`world ${seed}: a quarter of the evaluation questions has phrasings that training lacks, of words that it has`, () => {
    const trained = new Map<string, Set<string>>()
    for (const example of train) {
      const known = trained.get(relationOf(example)) ?? new Set()
      known.add(phrasing(example))
      trained.set(relationOf(example), known)
    }
    const unseen = dev.filter(isUnseen)
    assert.equal(unseen.length, dev.length / 4)
    const phrasings = new Set([...trained.values()].flatMap((known) => [...known]))
    for (const example of unseen) assert.ok(!phrasings.has(phrasing(example)), example.query)
    for (const example of dev) {
      if (!isUnseen(example)) assert.ok(trained.get(relationOf(example))?.has(phrasing(example)), example.query)
    }
  })

  test(`world ${seed}: one passage answers a question, and no word search finds most of them`, () => {
    const facts = new Map<string, Passage>()
    for (const passage of passages) {
      const key = `${passage.metadata?.["kind"]}.${passage.metadata?.["relation"]} ${passage.metadata?.["document"]}`
      assert.ok(!facts.has(key), key)
      facts.set(key, passage)
    }
    for (const example of [...train, ...dev]) {
      const gold = facts.get(`${relationOf(example)} ${example.group}`)
      assert.deepEqual(example.positives, [gold?.id])
      assert.ok(gold?.text.toLowerCase().includes((example.answers[0] ?? "").toLowerCase()))
    }
    const found = bm25(passages)
    const right = dev.filter(({ query, positives }) => found(query) === positives[0]).length / dev.length
    assert.ok(right > 0.1 && right < 0.25, `BM25 finds ${right}`)
  })
}

test("questions of different relations are different; unseen ones join words that training questions have", () => {
  for (const [kind, relations] of Object.entries(worldRelations)) {
    const all = relations.flatMap(({ questions, unseen }) => [...questions, ...unseen])
    assert.equal(new Set(all).size, all.length, kind)
    const common = new Set(
      words(
        "who what which how where when in of the a an and is was are were be does do did have has that to for as on at with from over by one its people it",
      ),
    )
    for (const { name, questions, unseen, statements, plain } of relations) {
      const taught = new Set(questions.flatMap(words))
      for (const word of unseen.flatMap(words))
        assert.ok(taught.has(word) || common.has(word), `${kind}.${name}: ${word}`)
      for (const text of [...questions, ...unseen]) assert.equal(text.split("{e}").length, 2, text)
      for (const text of [...statements, plain]) {
        assert.equal(text.split("{e}").length, 2, text)
        assert.equal(text.split("{v}").length, 2, text)
      }
    }
  }
})

test("sizes can be chosen; what cannot be is refused", () => {
  const { passages, train, dev } = makeWorld({ seed: 1, entities: 20, heldOut: 5, paraphrases: 2 })
  assert.deepEqual([passages.length, train.length, dev.length], [800, 1200, 200])
  assert.throws(() => makeWorld({ seed: 1, entities: 101 }), RangeError)
  assert.throws(() => makeWorld({ seed: 1, heldOut: 80 }), RangeError)
})

/** The id of the best passage by BM25 (k1 1.2, b 0.75). */
const bm25 = (passages: readonly Passage[]): ((query: string) => string | undefined) => {
  const documents = passages.map(({ text }) => words(text))
  const mean = documents.reduce((sum, document) => sum + document.length, 0) / documents.length
  const postings = new Map<string, Map<number, number>>()
  for (const [index, document] of documents.entries()) {
    for (const word of document) {
      const counts = postings.get(word) ?? new Map<number, number>()
      counts.set(index, (counts.get(index) ?? 0) + 1)
      postings.set(word, counts)
    }
  }
  return (query) => {
    const scores = new Map<number, number>()
    for (const word of words(query)) {
      const counts = postings.get(word) ?? new Map<number, number>()
      const idf = Math.log(1 + (documents.length - counts.size + 0.5) / (counts.size + 0.5))
      for (const [index, count] of counts) {
        const length = documents[index]?.length ?? mean
        const score = (idf * count * 2.2) / (count + 1.2 * (0.25 + (0.75 * length) / mean))
        scores.set(index, (scores.get(index) ?? 0) + score)
      }
    }
    let best = -1
    for (const [index, score] of scores) if (score > (scores.get(best) ?? 0)) best = index
    return passages[best]?.id
  }
}
