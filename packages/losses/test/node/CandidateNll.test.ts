import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { candidateNll } from "@tandem/losses"
import { bool, InvalidGraph } from "@tandem/onnx"
import { graphOver, largestDifference, type Matrix, matrix, runWithGradients } from "./support/Run.ts"

type Marks = readonly (readonly boolean[])[]

const marks = (rows: Marks) => bool([rows.length, rows[0]?.length ?? 0], rows.flat())

const found = (scores: Matrix, present: Marks, answering: Marks, retrieverTemperature: number) => {
  const feeds = { scores: matrix(scores), present: marks(present), answering: marks(answering) }
  const graph = graphOver(feeds, (g, { scores: given, present: there, answering: right }) => {
    assert.ok(given && there && right)
    const nll = candidateNll(g, { scores: given, present: there, answering: right }, { retrieverTemperature })
    return { nll, loss: g.reduceSum(nll, [0], false) }
  })
  return runWithGradients(graph, feeds, ["scores"])
}

/** The same in double precision: losses, and gradients (p − p over those that answer) / τ. */
const expected = (scores: Matrix, present: Marks, answering: Marks, tau: number) => {
  const rows = scores.map((row, b) => {
    const largest = Math.max(...row.filter((_, i) => present[b]![i]))
    const mass = row.map((score, i) => (present[b]![i] ? Math.exp((score - largest) / tau) : 0))
    const total = mass.reduce((sum, value) => sum + value, 0)
    const right = mass.reduce((sum, value, i) => sum + (answering[b]![i] ? value : 0), 0)
    return right === 0
      ? { nll: 0, gradient: row.map(() => 0) }
      : {
          nll: Math.log(total / right),
          gradient: mass.map((value, i) => (value / total - (answering[b]![i] ? value / right : 0)) / tau),
        }
  })
  return { nll: rows.map(({ nll }) => nll), gradient: rows.flatMap(({ gradient }) => gradient) }
}

describe("the likelihood of finding a candidate that answers", () => {
  const all = [true, true, true, true]
  const cases: readonly [name: string, scores: Matrix, present: Marks, answering: Marks, tau: number][] = [
    [
      "one of four, several, none, and places that are empty",
      [
        [0.8, 0.6, 0.1, -0.3],
        [0.2, 0.5, 0.4, 0.9],
        [0.7, 0.7, 0.7, 0.7],
        [0.3, 0.9, 99, 99],
      ],
      [all, all, all, [true, true, false, false]],
      [
        [false, true, false, false],
        [true, false, true, false],
        [false, false, false, false],
        [true, false, false, false],
      ],
      0.05,
    ],
    ["scores of any size", [[3e4, -3e4, 0, 2e4]], [all], [[true, false, false, true]], 1],
  ]
  for (const [name, scores, present, answering, tau] of cases) {
    it(`is that of double precision, with its gradients: ${name}`, async () => {
      const outputs = await found(scores, present, answering, tau)
      const { nll, gradient } = expected(scores, present, answering, tau)
      assert.ok(largestDifference(outputs["nll"], nll) <= 1e-5, String(outputs["nll"]))
      assert.ok(largestDifference(outputs["grad.scores"], gradient) <= 1e-4, String(outputs["grad.scores"]))
    })
  }

  it("refuses marks that do not fit", async () => {
    await assert.rejects(async () => found([[1, 2]], [[true, true]], [[true]], 1), InvalidGraph)
  })
})
