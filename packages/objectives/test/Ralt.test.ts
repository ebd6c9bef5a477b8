import assert from "node:assert/strict"
import { test } from "node:test"
import { type PreparedQuestion, type RaltDraw, raltExamples, tokenWeights } from "@tandem/objectives"

const passages = ["a", "b", "c", "d"].map((id, index) => ({ id, text: id, score: 4 - index, gold: id === "c" }))
const question: PreparedQuestion = { id: "q", query: "?", answer: "c", answers: ["c"], passages }
const plain: RaltDraw = {
  seed: 1,
  k: 3,
  weights: { kind: "none" },
  closedBookShare: 0,
  passagesPerPrompt: 1,
  distractorShare: 1,
}

const texts = (draw: Partial<RaltDraw>, of = question, epoch = 0): readonly string[] =>
  raltExamples(of, epoch, { ...plain, ...draw }).map(({ contexts }) => contexts.map(({ id }) => id).join(" "))

test("each of the best passages makes an example; what is missing weighs nothing", () => {
  assert.deepEqual(texts({}), ["a", "b", "c"])
  const few = raltExamples({ ...question, passages: passages.slice(0, 1) }, 0, plain)
  assert.deepEqual(
    few.map(({ weight }) => weight),
    [1, 0, 0],
  )
  const none = raltExamples({ ...question, passages: [] }, 0, {
    ...plain,
    weights: { kind: "retriever", temperature: 1 },
  })
  assert.deepEqual(
    none.map(({ contexts, weight }) => [contexts.length, weight]),
    [
      [0, 1],
      [0, 0],
      [0, 0],
    ],
  )
})

test("weights of the retriever are a softmax of its scores", () => {
  const weights = raltExamples(question, 0, { ...plain, weights: { kind: "retriever", temperature: 2 } }).map(
    ({ weight }) => weight,
  )
  const powers = [4, 3, 2].map((score) => Math.exp(score / 2))
  const sum = powers.reduce((a, b) => a + b)
  for (const [index, weight] of weights.entries()) assert.ok(Math.abs(weight - powers[index]! / sum) < 1e-12)
})

test("shares without context and with distractors are drawn, the same for the same seed and epoch", () => {
  const many = Array.from({ length: 300 }, (_, index) => ({ ...question, id: `q${index}` }))
  const closed = many.flatMap((each) => texts({ closedBookShare: 0.3 }, each))
  const share = closed.filter((text) => text === "").length / closed.length
  assert.ok(Math.abs(share - 0.3) < 0.05, `${share}`)
  const mixed = many.flatMap((each) => texts({ passagesPerPrompt: 3, distractorShare: 0.5, k: 1 }, each))
  const several = mixed.filter((text) => text.length > 1)
  assert.ok(Math.abs(several.length / mixed.length - 0.5) < 0.1)
  assert.ok(several.every((text) => text.split(" ").length === 3 && text.includes("c")))
  const places = new Set(several.map((text) => text.split(" ").indexOf("c")))
  assert.deepEqual([...places].sort(), [0, 1, 2])
  assert.deepEqual(texts({ passagesPerPrompt: 2 }, question, 4), texts({ passagesPerPrompt: 2 }, question, 4))
  assert.ok(
    [1, 2, 3, 4, 5].some(
      (epoch) => `${texts({ passagesPerPrompt: 2 }, question, epoch)}` !== `${texts({ passagesPerPrompt: 2 })}`,
    ),
  )
})

test("a question whose weights are all 0 is as if it were not there", () => {
  const one = {
    weight: 1,
    examples: [
      { weight: 0.25, tokens: 4 },
      { weight: 0.75, tokens: 2 },
    ],
  }
  const zero = {
    weight: 1,
    examples: [
      { weight: 0, tokens: 9 },
      { weight: 0, tokens: 9 },
    ],
  }
  for (const reduction of ["token", "example", "sum"] as const) {
    const [alone] = tokenWeights([one], reduction)
    assert.deepEqual(tokenWeights([one, zero], reduction), [alone, [0, 0]])
    assert.deepEqual(tokenWeights([zero], reduction), [[0, 0]])
  }
  assert.deepEqual(tokenWeights([one], "token"), [[0.25 / 2.5, 0.75 / 2.5]])
  assert.deepEqual(tokenWeights([one], "example"), [[0.25 / 4, 0.75 / 2]])
})
