import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { MissingGradient } from "@tandem/autodiff"
import { marginMse, type ScoreDistillationOptions, scoreDistillation, stopGradient } from "@tandem/losses"
import { float32 } from "@tandem/onnx"
import { rows } from "./support/Data.ts"
import { close, discrepancy, type Loss, type TaughtCase, taught } from "./support/Retriever.ts"
import { graphOver, run } from "./support/Run.ts"

const each: TaughtCase = { scores: rows(3, 4, 1), target: rows(3, 4, 2).map((row) => row.map((x) => 4 * x)) }
const partial: TaughtCase = {
  ...each,
  present: [
    [true, true, false, true],
    [false, true, true, true],
    [true, true, true, true],
  ],
}

const mse =
  (reduction: "mean" | "sum" = "mean"): Loss =>
  (g, { scores, target, present }) => ({ ...marginMse(g, { scores, teacher: target, present }, { reduction }) })

describe("marginMse", () => {
  const expected = (row: number, j: number): number => {
    const [s, t] = [each.scores[row]!, each.target[row]!]
    return s[0]! - s[j]! - (t[0]! - t[j]!)
  }

  it("is the mean square of margins' errors over the pairs that are there", async () => {
    const { loss, errors } = await taught(partial, mse())
    const pairs = [0, 1, 2].flatMap((row) =>
      [1, 2, 3].map((j) => (partial.present![row]![0] && partial.present![row]![j] ? expected(row, j) : 0)),
    )
    close(errors, pairs, 1e-5)
    close(loss, [pairs.reduce((sum, error) => sum + error * error, 0) / 5], 1e-5)
    const sum = await taught(partial, mse("sum"))
    close([sum["loss"]![0]! / 5], loss!, 1e-5)
  })

  it("without a mask is the same as with one that is true everywhere", async () => {
    const without: Loss = (g, { scores, target }) => ({ ...marginMse(g, { scores, teacher: target }) })
    close((await taught(each, without))["loss"], (await taught(each, mse()))["loss"]!)
  })

  it("is 0 where nothing can be compared", async () => {
    const none = { ...each, present: each.scores.map((row) => row.map((_, j) => j > 0)) }
    const found = await taught(none, mse())
    assert.deepEqual(found["loss"], [0])
    assert.ok(found["grad.scores"]!.every((value) => value === 0))
  })

  it("has gradients that are derivatives of its value, and none for the teacher", async () => {
    assert.ok((await discrepancy(partial, mse())) < 1e-2)
    await assert.rejects(async () => taught(each, mse(), ["target"]), MissingGradient)
  })
})

const kl =
  (options: Partial<ScoreDistillationOptions> = {}): Loss =>
  (g, { scores, target, present }) => ({
    ...scoreDistillation(
      g,
      { scores, teacher: target, present },
      { retrieverTemperature: 1, teacherTemperature: 1, ...options },
    ),
  })

describe("scoreDistillation", () => {
  it("is the divergence of the teacher's distribution from the retriever's, times the temperature's square", async () => {
    const options = { retrieverTemperature: 2, teacherTemperature: 3 }
    const found = await taught(each, kl(options))
    const [p, q] = [found["logTarget"]!, found["logPrior"]!]
    const of = (row: number, a: readonly number[], b: readonly number[]) =>
      [0, 1, 2, 3].reduce((sum, i) => sum + Math.exp(a[row * 4 + i]!) * (a[row * 4 + i]! - b[row * 4 + i]!), 0)
    close(
      found["perQuery"],
      [0, 1, 2].map((row) => 4 * of(row, p, q)),
      1e-5,
    )
    const other = await taught(each, kl({ ...options, direction: "retriever-teacher" }))
    close(
      other["perQuery"],
      [0, 1, 2].map((row) => 4 * of(row, q, p)),
      1e-5,
    )
    const total = (values: readonly number[]) => values.slice(0, 4).reduce((sum, value) => sum + Math.exp(value), 0)
    close([total(p), total(q)], [1, 1])
  })

  it("keeps the gradient's size at high temperatures", async () => {
    const of = async (temperature: number) => {
      const options = { retrieverTemperature: temperature, teacherTemperature: temperature }
      return (await taught(each, kl(options)))["grad.scores"]!.reduce((sum, x) => sum + x * x, 0)
    }
    const [warm, hot] = [await of(10), await of(40)]
    assert.ok(Math.abs(warm / hot - 1) < 0.2, `${warm} and ${hot}`)
  })

  it("has gradients that are derivatives of its value, and none for the teacher", async () => {
    for (const direction of ["teacher-retriever", "retriever-teacher"] as const) {
      assert.ok((await discrepancy(partial, kl({ direction, retrieverTemperature: 0.5 }))) < 1e-2)
      await assert.rejects(async () => taught(each, kl({ direction }), ["target"]), MissingGradient)
    }
  })
})

describe("stopGradient", () => {
  it("keeps values", async () => {
    const values = [0, -1, 1, -37.123456, 1234567.5, -0.25, 3e-5, -0.7, -1e30, 88.7]
    const feeds = { x: float32([values.length], values) }
    const graph = graphOver(feeds, (g, { x }) => {
      assert.ok(x)
      return { y: stopGradient(g, x) }
    })
    const found = (await run(graph, feeds))["y"]!
    for (const [at, value] of values.entries()) {
      const exact = Math.fround(value)
      if (Math.abs(value) >= 1) assert.equal(found[at], exact)
      else assert.ok(Math.abs(found[at]! - exact) <= 2 ** -24)
    }
  })
})
