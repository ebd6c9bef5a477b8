import assert from "node:assert/strict"
import { test } from "node:test"
import { averageRank, bootstrapMean, InvalidEvaluation, pairedBootstrap } from "@tandem/evals"

test("the interval of a proportion is that of the normal approximation", () => {
  const values = Float64Array.from({ length: 1000 }, (_, i) => (i % 10 < 3 ? 1 : 0))
  const { estimate, low, high, n, confidence } = bootstrapMean(values)
  const halfWidth = 1.959964 * Math.sqrt((0.3 * 0.7) / 1000)
  assert.equal(n, 1000)
  assert.equal(confidence, 0.95)
  assert.ok(Math.abs(estimate - 0.3) < 1e-12)
  assert.ok(Math.abs(low - (0.3 - halfWidth)) < 0.0025, `${low}`)
  assert.ok(Math.abs(high - (0.3 + halfWidth)) < 0.0025, `${high}`)
})

test("the same seed gives the same interval, another seed another one", () => {
  const values = [0.1, 0.9, 0.4, 0.3, 0.7]
  assert.deepEqual(bootstrapMean(values, { seed: 7 }), bootstrapMean(values, { seed: 7 }))
  assert.notDeepEqual(
    bootstrapMean(values, { seed: 7, resamples: 101 }),
    bootstrapMean(values, { seed: 8, resamples: 101 }),
  )
})

test("pairing cancels what both systems share", () => {
  const before = Array.from({ length: 200 }, (_, i) => (i * 37) % 100)
  const after = before.map((value) => value + 0.5)
  const { estimate, low, high } = pairedBootstrap(after, before)
  assert.deepEqual([estimate, low, high], [0.5, 0.5, 0.5])
  const reverse = pairedBootstrap(before, after)
  assert.equal(reverse.estimate, -0.5)
})

test("a wider confidence is a wider interval", () => {
  const values = Array.from({ length: 50 }, (_, i) => Math.sin(i))
  const narrow = bootstrapMean(values, { confidence: 0.5 })
  const wide = bootstrapMean(values, { confidence: 0.99 })
  assert.ok(wide.low < narrow.low && narrow.low < narrow.high && narrow.high < wide.high)
})

test("what cannot be resampled is an error", () => {
  assert.throws(() => bootstrapMean([]), InvalidEvaluation)
  assert.throws(() => bootstrapMean([1, Number.NaN]), /value 1 of the sample is NaN/)
  assert.throws(() => pairedBootstrap([1], [1, 2]), InvalidEvaluation)
  assert.throws(() => bootstrapMean([1], { resamples: 0 }), InvalidEvaluation)
  assert.throws(() => bootstrapMean([1], { confidence: 95 }), InvalidEvaluation)
})

test("average rank counts from 0 and puts a collapsed encoder at chance", () => {
  const { mean, ranks } = averageRank({
    scores: Float32Array.of(0.9, 0.5, 0.1, 0.9, 0.5, 0.1, 1, 1, 1),
    poolSize: 3,
    gold: [0, 2, 1],
  })
  assert.deepEqual([...ranks], [0, 2, 1])
  assert.equal(mean, 1)
  assert.throws(() => averageRank({ scores: [1, 2], poolSize: 3, gold: [0] }), InvalidEvaluation)
  assert.throws(() => averageRank({ scores: [1, 2], poolSize: 2, gold: [2] }), InvalidEvaluation)
  assert.throws(() => averageRank({ scores: [1, Number.NaN], poolSize: 2, gold: [0] }), InvalidEvaluation)
})
