// What the benchmarks compute from their measurements.
import assert from "node:assert/strict"
import { test } from "node:test"
import { float32, GraphBuilder } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { Effect } from "effect"
import type { Compared } from "../bench/support/Compare.ts"
import { goalsOf, verdicts } from "../bench/support/Compare.ts"
import { powerLaw } from "../bench/support/Exponent.ts"
import { withFolder } from "../bench/support/Folder.ts"
import { renderPage } from "../bench/support/Page.ts"
import { productsOf } from "../bench/support/Products.ts"
import { operatorTimes, type Profile, profileParts, readProfile } from "../bench/support/Profile.ts"
import { type BenchmarkRecord, goalWords, missedGoals } from "../bench/support/Records.ts"
import { sideRuntime, wallClock } from "../bench/support/SideRuntime.ts"
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

test("a power law is found again from its points", () => {
  const { exponent, factor, fit } = powerLaw([1, 2, 4, 8].map((x) => [x, 3 * x ** 1.5] as const))
  assert.ok(Math.abs(exponent - 1.5) < 1e-12 && Math.abs(factor - 3) < 1e-12 && Math.abs(fit - 1) < 1e-12)
})

test("medians lie between the middle two of an even count", () => {
  assert.deepEqual(spread([4, 1, 3, 2]), { median: 2.5, min: 1, max: 4 })
})

const side = { peakMemoryMiB: 100, versions: { node: "24" } }
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

test("a profile counts the operators of the runs that are asked for", () => {
  const run = (ts: number) => ({ cat: "Session", name: "model_run", ts, dur: 90 })
  const node = (op: string, ts: number, dur: number) => ({
    cat: "Node",
    name: `a_kernel_time`,
    ts,
    dur,
    args: { op_name: op },
  })
  // As the profiler writes them: a run stands behind its nodes.
  const events = [
    node("Gemm", 0, 50),
    run(0),
    node("Gemm", 101, 30),
    node("Exp", 140, 20),
    node("Gemm", 170, 10),
    run(100),
    { cat: "Session", name: "model_loading_array", ts: 0, dur: 5 },
  ]
  assert.deepEqual(operatorTimes(events, 1), [
    { operator: "Gemm", seconds: (30 + 10) / 1e6, count: 2 },
    { operator: "Exp", seconds: 20 / 1e6, count: 1 },
  ])
  assert.deepEqual(operatorTimes(events, 2), [])
})

test("what a side runs under the profiler is found again, without what it ran before", async () => {
  await withFolder(async (folder) => {
    const g = new GraphBuilder()
    const x = g.input("x", "float32", [2, 3])
    const graph = g.build({ y: g.exp(g.matmul(x, g.input("w", "float32", [3, 4]))) })
    const feeds = { x: float32([2, 3], Array(6).fill(1)), w: float32([3, 4], Array(12).fill(1)) }
    let since = 0
    await Effect.gen(function* () {
      const runtime = yield* Runtime
      const executable = yield* runtime.compile(graph)
      yield* executable.run(feeds)
      since = wallClock()
      for (let unit = 0; unit < 2; unit++) yield* executable.run(feeds)
    }).pipe(Effect.scoped, Effect.provide(sideRuntime({ threads: 1, profile: folder })), Effect.runPromise)
    const { operators, seconds, host, compiling } = readProfile(folder, { seconds: 2, units: 2, since })
    const counts = operators.map(({ operator, count }) => `${count} ${operator}`)
    for (const each of ["1 MatMul", "1 Exp"]) assert.ok(counts.includes(each), `${each} in ${counts}`)
    assert.deepEqual([seconds, host, compiling], [1, 0, 0])
  })
})

const profile: Profile = {
  seconds: 10,
  operators: [
    { operator: "Gemm", seconds: 4, count: 2 },
    { operator: "Softmax", seconds: 2, count: 1 },
    { operator: "FusedMatMul", seconds: 1, count: 1 },
    { operator: "Exp", seconds: 0.5, count: 3 },
  ],
  host: 0.5,
  compiling: 0.25,
  rest: 1.75,
}

test("the parts of a profile make the whole, with all products in one", () => {
  const parts = profileParts(profile, 1).map(({ name, share }) => `${name} ${share}`)
  assert.deepEqual(parts, [
    "matrix products 0.5",
    "Softmax 0.2",
    "another operator 0.05",
    "host kernels 0.05",
    "compiling 0.025",
    "outside of operators 0.175",
  ])
})

test("a missed goal is told with what takes the time, and memory without", () => {
  assert.deepEqual(
    goalsOf(compared).map(({ of, reached }) => [of, reached]),
    [
      ["speed", false],
      ["memory", true],
    ],
  )
  assert.equal(goalWords(compared, "speed"), "goal ≥ 1.25 ✗")
  assert.equal(goalWords(compared, "memory"), "goal ≤ 1 ✓")
  assert.equal(goalWords(compared, "share"), "")
  assert.equal(missedGoals(compared), "speed 0.75 (goal ≥ 1.25)")
  const told = missedGoals({ ...compared, profile })
  assert.match(
    told,
    /; beside matrix products \(50 %\) its time goes to Softmax \(20 %\), outside of operators \(18 %\)/,
  )
  const { ratio: _, ...alone } = compared
  assert.equal(missedGoals({ ...alone, profile, memory: 1.002 }), "memory 1.002 (goal ≤ 1)")
  assert.equal(missedGoals({ ...alone, memory: 0.9 }), "")
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
    figures: {
      slower: { ...compared, profile },
      alone,
      growth: { axis: "texts", points: [], exponent: 1, factor: 1, fit: 1 },
    },
  }
  const page = renderPage([record], { uplotScript: "", uplotStyle: "" })
  for (const text of ["a &#60;processor&#62;", "0.75", "missing: npm run bench:peers", "growth", "FusedMatMul"])
    assert.ok(page.includes(text), text)
})
