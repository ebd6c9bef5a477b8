import assert from "node:assert/strict"
import { test } from "node:test"
import { chooseExamples, type Reason } from "../../src/training/ChooseExamples.ts"

const indices = (choices: ReturnType<typeof chooseExamples>, wanted: Reason): readonly number[] =>
  choices.filter(({ reason }) => reason === wanted).map(({ index }) => index)

test("most gained, most lost, failing still and working, each once and in this order", () => {
  const before = [0, 0.5, 1, 1, 0, 1, 0.25, 0.2]
  const after = [1, 1, 0.1, 0.5, 0, 1, 0.25, 0.5]
  const choices = chooseExamples({ before, after })
  assert.deepEqual(indices(choices, "improved"), [0, 1, 7])
  assert.deepEqual(indices(choices, "worse"), [2, 3])
  assert.deepEqual(indices(choices, "failing"), [4, 6])
  assert.deepEqual(indices(choices, "working"), [5])
  assert.deepEqual([...new Set(choices.map(({ reason }) => reason))], ["improved", "worse", "failing", "working"])
})

test("as many of each as are wanted", () => {
  const before = Array.from({ length: 100 }, (_, index) => (index % 2 === 0 ? 0 : 1))
  const after = Array.from({ length: 100 }, (_, index) => (index % 3 === 0 ? 0 : 1))
  const counts = { improved: 1, worse: 2, failing: 3, working: 0 }
  const choices = chooseExamples({ before, after, counts })
  for (const [reason, count] of Object.entries(counts)) {
    assert.equal(choices.filter((choice) => choice.reason === reason).length, count, reason)
  }
})

test("among equals the choice is scattered, and the same each time", () => {
  const before = new Array(1000).fill(0)
  const after = new Array(1000).fill(1)
  const chosen = indices(chooseExamples({ before, after }), "improved")
  assert.equal(chosen.length, 4)
  const sorted = [...chosen].sort((a, b) => a - b)
  assert.ok(
    sorted.every((value, place) => place === 0 || value - (sorted[place - 1] ?? 0) > 50),
    String(sorted),
  )
  assert.deepEqual(indices(chooseExamples({ before, after }), "improved"), chosen)
})

test("questions without a score are never chosen", () => {
  const choices = chooseExamples({ before: [Number.NaN, 0, 0], after: [1, Number.NaN, 0] })
  assert.deepEqual(choices, [{ index: 2, reason: "failing" }])
  assert.deepEqual(chooseExamples({ before: [0], after: [1, 1] }), [{ index: 0, reason: "improved" }])
})

test("without a before nothing is improved or worse", () => {
  const choices = chooseExamples({ after: [0, 1, 0.7] })
  assert.deepEqual(choices, [
    { index: 0, reason: "failing" },
    { index: 1, reason: "working" },
  ])
  assert.deepEqual(chooseExamples({ after: [] }), [])
})
