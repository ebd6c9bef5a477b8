import assert from "node:assert/strict"
import { test } from "node:test"
import { evaluateRetrieval, InvalidEvaluation, pairedBootstrap } from "@tandem/evals"

const passages = (...ids: string[]) => ids.map((id) => ({ id, text: `This is passage ${id}.` }))

test("figures by hand, under the names of report.json", () => {
  const { metrics, perQuestion } = evaluateRetrieval({
    results: [
      { ranked: passages("a", "b", "c"), gold: new Set(["a"]), answers: ["passage A"] },
      { ranked: passages("b", "c", "a"), gold: new Set(["a"]), answers: ["passage c"] },
      { ranked: passages("b", "c"), gold: new Set(["a", "z"]), answers: ["nowhere"] },
    ],
    ks: [1, 2, 5],
  })
  assert.deepEqual(metrics, {
    n: 3,
    "recall@1": 1 / 3,
    "recall@2": 1 / 3,
    "recall@5": 2 / 3,
    "mrr@10": (1 + 1 / 3) / 3,
    "ndcg@10": 1.5 / 3,
    "answerRecall@1": 1 / 3,
    "answerRecall@2": 2 / 3,
    "answerRecall@5": 2 / 3,
  })
  assert.deepEqual([...(perQuestion["ndcg@10"] ?? [])], [1, 0.5, 0])
  assert.deepEqual([...(perQuestion["answerRecall@2"] ?? [])], [1, 1, 0])
})

test("a question counts only for what is known about it, and an unknown figure is absent", () => {
  const ranked = passages("a", "b")
  const { metrics } = evaluateRetrieval({
    results: [
      { ranked, gold: new Set(["b"]), answers: [] },
      { ranked, gold: new Set(), answers: ["passage a"] },
    ],
  })
  assert.equal(metrics.n, 2)
  assert.equal(metrics["recall@1"], 0)
  assert.equal(metrics["recall@5"], 1)
  assert.equal(metrics["answerRecall@1"], 1)
  const answersOnly = evaluateRetrieval({ results: [{ ranked, gold: new Set(), answers: ["x"] }] })
  assert.deepEqual(Object.keys(answersOnly.metrics), ["n", "answerRecall@1", "answerRecall@5", "answerRecall@20"])
})

test("a gold passage that is returned twice counts once, and ranks beyond 10 do not count for mrr and ndcg", () => {
  const twice = evaluateRetrieval({
    results: [{ ranked: passages("a", "a", "b"), gold: new Set(["a", "b"]), answers: [] }],
  })
  assert.equal(twice.metrics["ndcg@10"], (1 + 1 / 2) / (1 + 1 / Math.log2(3)))
  const late = evaluateRetrieval({
    results: [{ ranked: passages(..."0123456789a"), gold: new Set(["a"]), answers: [] }],
  })
  assert.deepEqual([late.metrics["mrr@10"], late.metrics["ndcg@10"], late.metrics["recall@20"]], [0, 0, 1])
})

test("the per-question vectors of two systems feed a paired bootstrap", () => {
  const evaluate = (...orders: string[]) =>
    evaluateRetrieval({
      results: orders.map((order) => ({ ranked: passages(...order), gold: new Set(["a"]), answers: [] })),
    }).perQuestion["mrr@10"] ?? []
  const { low } = pairedBootstrap(evaluate("ab", "ab", "ba"), evaluate("ba", "bca", "bca"))
  assert.ok(low > 0)
})

test("nothing to evaluate is an error", () => {
  assert.throws(() => evaluateRetrieval({ results: [] }), InvalidEvaluation)
  const results = [{ ranked: [], gold: new Set(["a"]), answers: [] }]
  assert.equal(evaluateRetrieval({ results }).metrics["recall@20"], 0)
  assert.throws(() => evaluateRetrieval({ results, ks: [] }), InvalidEvaluation)
  assert.throws(() => evaluateRetrieval({ results, ks: [1.5] }), InvalidEvaluation)
})
