import assert from "node:assert/strict"
import { test } from "node:test"
import { rankedExamples } from "../../src/training/RankedExamples.ts"

const questions = ["a", "b", "c"].map((name) => ({ query: `${name}?`, answers: [name], gold: [`gold-${name}`] }))
const found = (...ids: readonly string[]) => ids.map((id) => ({ id, score: 1 }))
const system = (name: string, scores: readonly number[], rankings: readonly ReturnType<typeof found>[]) =>
  ({ name, color: "teal", scores, rankings }) as const
const passage = (id: string) => (id === "gold-c" ? undefined : { text: `text of ${id}`, title: undefined })

test("examples have their group, what each system found, and the passages that answer", () => {
  const before = { ...system("before", [0.2, 1, 0], [found("x"), found("gold-b"), found("y")]), places: [5, 1, 0] }
  const after = { ...system("after", [1, 1, 0], [found("gold-a"), found("gold-b"), found("y")]), places: [1, 1, 0] }
  const { examples } = rankedExamples({
    questions,
    systems: [before, after],
    before: "before",
    after: "after",
    passage,
  })
  assert.deepEqual(
    examples.map(({ group, question }) => [group, question]),
    [
      ["Most improved", "a?"],
      ["Still failing", "c?"],
      ["Found before and after", "b?"],
    ],
  )
  assert.deepEqual(examples[0]?.gold, [{ id: "gold-a", text: "text of gold-a" }])
  assert.deepEqual(
    examples[0]?.columns.map(({ place }) => place),
    [5, 1],
  )
  assert.deepEqual(examples[1]?.gold, [{ id: "gold-c" }])
  assert.ok(examples[1]?.columns.every((column) => !("place" in column)))
})

test("before a run ends, examples show where it begins", () => {
  const before = system("before", [0, 1, Number.NaN], [found("x"), found("gold-b"), found()])
  const { examples } = rankedExamples({ questions, systems: [before], before: "before", after: "after", passage })
  assert.deepEqual(
    examples.map(({ group, question }) => [group, question]),
    [
      ["Not found among the first", "a?"],
      ["Found at once", "b?"],
    ],
  )
})

test("only questions whose rankings were kept are chosen", () => {
  const before = system("before", [0, 0, 0], [found("x")])
  const after = system("after", [1, 1, 1], [found("gold-a"), found("gold-b"), found("y")])
  const { examples } = rankedExamples({
    questions,
    systems: [before, after],
    before: "before",
    after: "after",
    passage,
  })
  assert.deepEqual(
    examples.map(({ question }) => question),
    ["a?"],
  )
})
