// What the benchmarks compute from their measurements.
import assert from "node:assert/strict"
import { test } from "node:test"
import { GraphBuilder } from "@tandem/onnx"
import { Effect } from "effect"
import type { Compared } from "../bench/support/Compare.ts"
import { verdicts } from "../bench/support/Compare.ts"
import { powerLaw } from "../bench/support/Exponent.ts"
import { renderPage } from "../bench/support/Page.ts"
import { flopsOf, meanProducts, productsOf } from "../bench/support/Products.ts"
import type { BenchmarkRecord } from "../bench/support/Records.ts"
import { spread } from "../bench/support/Spread.ts"
import { stepCounts } from "../bench/support/StepCounts.ts"

test("each product brings one for every operand that is trained or depends on what is trained", () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [6, 4])
  const hidden = g.matmul(x, g.input("first", "float32", [4, 3]))
  const loss = g.reduceMean(g.matmul(hidden, g.input("second", "float32", [3, 5])), [], false)
  const graph = g.build({ loss })
  const counted = (trained: readonly string[]) =>
    productsOf(graph, trained)
      .map(({ m, n, k, count }) => `${count} × ${m} ${n} ${k}`)
      .sort()
  assert.deepEqual(counted([]), ["1 × 6 3 4", "1 × 6 5 3"])
  // The gradient of `second` needs no gradient of what it is multiplied by.
  assert.deepEqual(counted(["second"]), ["1 × 3 5 6", "1 × 6 3 4", "1 × 6 5 3"])
  assert.deepEqual(counted(["first", "second"]), ["1 × 3 5 6", "1 × 4 3 6", "1 × 6 3 4", "1 × 6 3 5", "1 × 6 5 3"])
})

test("the counts of a step are those of its graph, and gradients stay in place where every output has one", async () => {
  const g = new GraphBuilder()
  const product = g.matmul(g.input("x", "float32", [4, 3]), g.input("weight", "float32", [3, 2]))
  const loss = g.reduceSum(g.exp(g.reshape(product, [8])), [], false)
  const counts = (outputs: Parameters<typeof g.build>[0]) => {
    const program = { graph: g.build(outputs), loss: "loss", dropout: [] }
    return Effect.runPromise(stepCounts(program, new Map([["weight", [3, 2]]]), ["weight"]))
  }
  const { products, intermediateBytes, copiedGradientBytes } = await counts({ loss })
  // x·W and xᵀ·dY; of 8 floats each the product, its exponential, the gradient by that and the gradient by the product.
  assert.deepEqual([products, intermediateBytes, copiedGradientBytes], [2, 4 * 8 * 4, 0])
  const counted = await counts({ loss, count: g.cast(loss, "int64") })
  assert.equal(counted.copiedGradientBytes, 3 * 2 * 4)
})

test("the mean of several steps has fractions of products", () => {
  const product = { batch: 2, m: 3, n: 4, k: 5, count: 3 }
  const [mean] = meanProducts([[product], []])
  assert.deepEqual(mean, { ...product, count: 1.5 })
  assert.equal(flopsOf(product), 240)
})

test("a power law is found again from its points", () => {
  const { exponent, factor, fit } = powerLaw([1, 2, 4, 8].map((x) => [x, 3 * x ** 1.5] as const))
  assert.ok(Math.abs(exponent - 1.5) < 1e-12 && Math.abs(factor - 3) < 1e-12 && Math.abs(fit - 1) < 1e-12)
})

test("medians lie between the middle two of an even count", () => {
  assert.deepEqual(spread([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 })
})

const side = { secondsToFirst: 3, peakMemoryMiB: 100, versions: { node: "24" } }
const compared: Compared = {
  rounds: [
    { ours: 2, peer: 1 },
    { ours: 1, peer: 1 },
  ],
  ratio: spread([0.5, 1]),
  ours: { ...side, seconds: spread([2, 1]) },
  peer: { ...side, seconds: spread([1, 1]) },
  memory: 1,
  targets: { speed: 1.25, memory: 1 },
}

test("targets are judged by medians", () => {
  assert.deepEqual(verdicts({ row: compared }), {
    "row: at least 1.25 times the peer's speed": false,
    "row: at most 1 times the peer's memory": true,
  })
})

test("the page tells slower rows and missing peers, and shows texts as texts", () => {
  const alone: Compared = { rounds: [{ ours: 2 }], ours: compared.ours, peer: "missing: npm run bench:peers" }
  const record: BenchmarkRecord = {
    name: "example",
    command: "npm run bench -- example",
    date: "2026-01-01",
    seconds: 60,
    machine: { cpu: "a <processor>", cores: 2, platform: "linux" },
    versions: { node: "24" },
    settings: { work: "work", against: "a peer", unit: "step" },
    figures: { slower: compared, alone, growth: { axis: "texts", points: [], exponent: 1, factor: 1, fit: 1 } },
  }
  const page = renderPage([record], { uplotScript: "", uplotStyle: "" })
  for (const text of ["a &#60;processor&#62;", "0.75", "missing: npm run bench:peers", "growth"])
    assert.ok(page.includes(text), text)
})
