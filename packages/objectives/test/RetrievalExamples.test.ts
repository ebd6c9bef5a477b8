import assert from "node:assert/strict"
import { test } from "node:test"
import type { Example, RetrievalData } from "@tandem/datasets"
import { keptRankings, retrievalExamples } from "../src/retrieval/RetrievalExamples.ts"

const example = (id: string, positives: readonly string[], answers: readonly string[] = []): Example => ({
  id,
  query: `${id}?`,
  answers: [...answers],
  positives: [...positives],
  negatives: [],
})
const corpus = new Map(["p1", "p2", "p3"].map((id) => [id, { id, text: `text of ${id}` }]))
const dataOf = (examples: readonly Example[]): RetrievalData => ({
  examples: [...examples],
  corpus,
  statistics: {
    rows: examples.length,
    examples: examples.length,
    passages: corpus.size,
    droppedWithoutPositive: 0,
    answersNotInPositives: 0,
    withNegatives: 0,
  },
  warnings: [],
})
const ranking = (...ids: readonly string[]) => ids.map((id) => ({ id, score: 1 }))
const groupsOf = (section: ReturnType<typeof retrievalExamples>) => {
  assert.equal(section.kind, "examples")
  return section.kind === "examples" ? section.examples.map(({ group, question }) => [group, question]) : []
}

test("per-question figures stand at their questions, also where some questions have no gold passage", () => {
  const dev = dataOf([example("none", []), example("gained", ["p1"]), example("lost", ["p2"])])
  const shown = [ranking("p3"), ranking("p1"), ranking("p2")]
  const system = (ranks: readonly number[]) => ({ metrics: {}, perQuestion: { "mrr@10": ranks }, shown })
  const section = retrievalExamples(
    { dev, corpus },
    { before: system([0.1, 1]), after: system([1, 0.5]), baselines: { bm25: system([1, 1]) } },
  )
  assert.deepEqual(groupsOf(section), [
    ["Most improved", "gained?"],
    ["Worse than before", "lost?"],
  ])
  const [first] = section.kind === "examples" ? section.examples : []
  assert.deepEqual(
    first?.columns.map(({ system: name, place }) => [name, place]),
    [
      ["before", 10],
      ["BM25", 1],
      ["after", 1],
    ],
  )
})

test("where only answers are known, they choose", () => {
  const dev = dataOf([example("a", [], ["x"]), example("b", [], ["y"])])
  const shown = [ranking("p3"), ranking("p1")]
  const system = (found: readonly number[]) => ({ metrics: {}, perQuestion: { "answerRecall@5": found }, shown })
  const section = retrievalExamples({ dev, corpus }, { before: system([0, 0]), after: system([0, 1]), baselines: {} })
  assert.deepEqual(groupsOf(section), [
    ["Most improved", "b?"],
    ["Still failing", "a?"],
  ])
})

test("three passages of each of up to 2,000 questions are kept", () => {
  const kept = keptRankings(Array.from({ length: 2500 }, () => ranking("p1", "p2", "p3", "p4")))
  assert.equal(kept.length, 2000)
  assert.equal(kept[0]?.length, 3)
})
