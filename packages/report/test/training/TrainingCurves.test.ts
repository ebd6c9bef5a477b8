import assert from "node:assert/strict"
import { test } from "node:test"
import { readableScale } from "../../src/training/ReadableScale.ts"
import { smooth } from "../../src/training/Smooth.ts"
import { trainingCurves } from "../../src/training/TrainingCurves.ts"
import { trainingRows } from "../../src/training/TrainingRows.ts"

const row = (step: number, more: Readonly<Record<string, number>> = {}) => ({
  step,
  values: { epoch: 1, loss: 1, lr: 1, gradNorm: 1, ...more },
})
const named = (charts: ReturnType<typeof trainingCurves>["charts"], title: string) => {
  const chart = charts.find((each) => each.title.startsWith(title))
  assert.ok(chart !== undefined, title)
  return chart
}

test("rows of metrics.jsonl are sorted by what they are about", () => {
  const rows = [
    { step: 1, time: "2026-01-01", loss: 2, lr: 0.1, gradNorm: 3, "gradNorm/query": 1 },
    { step: 1, eval: { n: 2, "recall@1": 0.5, note: "text" } },
    { event: "other" },
  ]
  assert.deepEqual(trainingRows(rows), {
    steps: [{ step: 1, values: { loss: 2, lr: 0.1, gradNorm: 3, "gradNorm/query": 1 } }],
    evaluations: [{ step: 1, metrics: { n: 2, "recall@1": 0.5 } }],
  })
})

test("curves of long runs are thinned and keep the last step; values that are no numbers become gaps", () => {
  const steps = Array.from({ length: 50_000 }, (_, index) =>
    row(index + 1, { loss: index === 0 ? Number.NaN : 1, gradNorm: Number.POSITIVE_INFINITY }),
  )
  const { charts } = trainingCurves(steps, [])
  const [loss, gradient] = [named(charts, "Loss"), named(charts, "Gradient")]
  assert.ok(loss.x.length <= 3001)
  assert.equal(loss.x.at(-1), 50_000)
  assert.equal(loss.lines[0]?.values[0], null)
  assert.equal(gradient.lines[0]?.values[5], null)
})

test("a line for each part where rows tell parts apart, one where there is one part", () => {
  const parts = [row(1, { "gradNorm/query": 0.5, "gradNorm/generator": 2 }), row(2)]
  const lines = named(trainingCurves(parts, []).charts, "Gradient").lines
  assert.deepEqual(
    lines.map(({ label }) => label),
    ["all parts", "query", "generator"],
  )
  assert.deepEqual(lines[1]?.values, [0.5, null])
  assert.equal(named(trainingCurves([row(1, { "gradNorm/query": 1 })], []).charts, "Gradient").lines.length, 1)
})

test("the saved step is marked in every chart", () => {
  const { charts } = trainingCurves([row(1), row(2)], [{ step: 2, metrics: { "recall@1": 1 } }], { savedStep: 2 })
  assert.equal(charts.length, 4)
  for (const { marked } of charts) assert.deepEqual(marked, { at: 2, label: "saved" })
})

test("evaluations begin with what was before; figures beyond 1 have charts of their own", () => {
  const evaluations = [{ step: 5, metrics: { n: 3, "recall@1": 0.5, nll: 2 } }]
  const { charts } = trainingCurves([row(5)], evaluations, { before: { n: 3, "recall@1": 0.1, nll: 3 } })
  assert.deepEqual(named(charts, "On the evaluation questions").lines[0]?.values, [0.1, 0.5])
  assert.deepEqual(named(charts, "nll").lines[0]?.values, [3, 2])
  assert.equal(trainingCurves([row(5)], [], { before: { "recall@1": 0.1 } }).charts.length, 3)
})

test("what else steps say has a chart where a row has it", () => {
  const columns = [
    { title: "Entropy", columns: ["entropy"] },
    { title: "Agreement", columns: ["agreement"] },
  ]
  const { charts } = trainingCurves([row(1, { entropy: 1 })], [], { columns })
  assert.deepEqual(named(charts, "Entropy").lines[0]?.values, [1])
  assert.ok(!charts.some(({ title }) => title.startsWith("Agreement")))
})

test("smoothing does not lag, keeps constants, and has gaps where values have", () => {
  const ramp = Array.from({ length: 1000 }, (_, index) => index)
  const smoothed = smooth(ramp)
  assert.ok(Math.abs((smoothed[500] ?? 0) - 500) < 1e-6)
  const constant = smooth([3, Number.NaN, 3, 3])
  assert.ok(Number.isNaN(constant[1]))
  for (const index of [0, 2, 3]) assert.ok(Math.abs((constant[index] ?? 0) - 3) < 1e-12)
})

test("first values far above all others are left beyond the axis", () => {
  const values = Array.from({ length: 400 }, (_, index) => (index < 3 ? 300 : 1 + 0.5 * Math.sin(index)))
  const { scale, within, left } = readableScale([values], "free")
  assert.equal(scale, "free")
  assert.equal(left, 3)
  assert.ok(within !== undefined && within[1] < 3 && within[0] > -1)
})

test("values that span decades have a logarithmic axis, those that touch 0 do not, even ones keep theirs", () => {
  const falling = Array.from({ length: 400 }, (_, index) => 10 * 0.98 ** index)
  assert.deepEqual(readableScale([falling], "free"), { scale: "log", left: 0 })
  const norms = [Array.from({ length: 50 }, () => 4), Array.from({ length: 50 }, () => 0.01)]
  assert.equal(readableScale(norms, "from zero").scale, "log")
  assert.notEqual(readableScale([[...falling, 0]], "free").scale, "log")
  const even = Array.from({ length: 400 }, (_, index) => 2 + Math.sin(index))
  assert.deepEqual(readableScale([even], "from zero"), { scale: "from zero", left: 0 })
  assert.deepEqual(readableScale([[Number.NaN]], "free"), { scale: "free", left: 0 })
})
