import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type AnswerResult,
  bootstrapMean,
  bootstrapRatio,
  compareAnswers,
  evaluateAnswers,
  InvalidEvaluation,
  pairedBootstrap,
  pairedBootstrapRatio,
} from "@tandem/evals"

const said = (...predictions: readonly string[]): AnswerResult[] =>
  predictions.map((prediction, at) => ({ id: `q${at}`, prediction, answers: ["black cat"] }))

const likely = (...rows: readonly (readonly [logprob: number, tokens: number])[]): AnswerResult[] =>
  rows.map(([logprob, tokens], at) => ({ id: `q${at}`, likelihood: { logprob, tokens } }))

test("figures by hand, under the names of report.json, with the values behind them", () => {
  const { metrics, perQuestion, intervals, ids } = evaluateAnswers({ results: said("a black cat", "the cat", "dog") })
  assert.deepEqual(metrics, { n: 3, exactMatch: 1 / 3, f1: (1 + 2 / 3) / 3, rougeL: (0.8 + 0.5) / 3 })
  assert.deepEqual([...(perQuestion.f1 ?? [])], [1, 2 / 3, 0])
  assert.deepEqual(intervals.f1, bootstrapMean([1, 2 / 3, 0]))
  assert.deepEqual(ids, ["q0", "q1", "q2"])
})

test("nll is nats a token over all tokens of the set, not a mean of means", () => {
  const { metrics, perQuestion, tokens } = evaluateAnswers({ results: likely([-1, 1], [-2, 8]) })
  assert.deepEqual(metrics, { n: 2, nll: 3 / 9 })
  assert.deepEqual([...(perQuestion.nll ?? [])], [1, 0.25])
  assert.deepEqual([...(tokens ?? [])], [1, 8])
})

test("a ratio's interval weighs questions by their counts; with equal counts it is that of the mean", () => {
  const sums = [3, 1, 4, 1, 5, 9, 2, 6]
  const equal = sums.map(() => 2)
  const [ratio, mean] = [bootstrapRatio({ sums, counts: equal }), bootstrapMean(sums.map((sum) => sum / 2))]
  for (const key of ["estimate", "low", "high"] as const) assert.ok(Math.abs(ratio[key] - mean[key]) < 1e-12)
  // One long answer decides the figure, and whether it is drawn decides the interval.
  const long = bootstrapRatio({ sums: [1000, 0, 0, 0], counts: [1000, 1, 1, 1] })
  assert.ok(long.estimate > 0.99 && long.low === 0 && long.high > 0.999, JSON.stringify(long))
  assert.throws(() => bootstrapRatio({ sums, counts: [1] }), InvalidEvaluation)
  assert.throws(() => bootstrapRatio({ sums: [1], counts: [0] }), /count 0 of the sample is 0/)
  assert.throws(() => bootstrapRatio({ sums: [], counts: [] }), InvalidEvaluation)
})

test("two systems are compared question by question", () => {
  const [before, after] = [
    evaluateAnswers({ results: said("x", "cat") }),
    evaluateAnswers({ results: said("cat", "cat") }),
  ]
  assert.deepEqual(compareAnswers(after, before).f1, pairedBootstrap([2 / 3, 2 / 3], [0, 2 / 3]))
  assert.deepEqual(compareAnswers(after, after).exactMatch?.high, 0)
  const [poor, good] = [likely([-4, 2], [-9, 3]), likely([-2, 2], [-6, 3])].map((results) =>
    evaluateAnswers({ results }),
  )
  const { nll, ...others } = compareAnswers(good!, poor!)
  assert.deepEqual(others, {})
  assert.ok(Math.abs((nll?.estimate ?? 0) - (8 / 5 - 13 / 5)) < 1e-12)
  const direct = pairedBootstrapRatio({ sums: [2, 6], counts: [2, 3] }, { sums: [4, 9], counts: [2, 3] })
  assert.ok(Math.abs((nll?.high ?? 0) - direct.high) < 1e-12 && Math.abs(direct.high + 1) < 1e-12)
})

test("what cannot be evaluated or compared is an error that names the question", () => {
  const [first, second] = said("x", "y")
  const evaluate = (...results: AnswerResult[]) => evaluateAnswers({ results })
  assert.throws(() => evaluate(), InvalidEvaluation)
  assert.throws(() => evaluate({ id: "q" }), /nothing to evaluate/)
  assert.throws(() => evaluate({ id: "q", prediction: "x" }), InvalidEvaluation)
  assert.throws(() => evaluate(first!, first!), /question q0 stands twice/)
  assert.throws(() => evaluate(first!, { id: "z", answers: ["x"] }), /question z has no prediction, others do/)
  assert.throws(() => evaluate(...likely([0.5, 1])), /log-probability of question q0 is 0.5/)
  assert.throws(() => evaluate(...likely([-1, 0])), /has 0 tokens/)
  assert.throws(() => evaluate(...likely([Number.NEGATIVE_INFINITY, 1])), InvalidEvaluation)
  assert.throws(() => compareAnswers(evaluate(first!), evaluate(second!)), {
    expected: "question q0",
    found: "question q1",
  })
  assert.throws(() => compareAnswers(evaluate(first!), evaluate(first!, second!)), { found: "2 questions" })
})
