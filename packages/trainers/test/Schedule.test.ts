// Learning rates against numbers of Hugging Face's formulas, worked out by hand.
import assert from "node:assert/strict"
import { test } from "node:test"
import { InvalidSettings, learningRateAt, type Schedule, warmupSteps } from "@tandem/trainers"

const close = (found: readonly number[], expected: readonly number[]): void => {
  assert.equal(found.length, expected.length)
  for (const [index, value] of found.entries()) {
    assert.ok(Math.abs(value - expected[index]!) < 1e-12, `step ${index}: ${value}, expected ${expected[index]}`)
  }
}

const rates = (schedule: Omit<Schedule, "learningRate">, learningRate = 1): readonly number[] =>
  Array.from({ length: schedule.steps + 2 }, (_, step) => learningRateAt({ ...schedule, learningRate }, step))

const half = Math.SQRT1_2

test("linear: up to the peak, down to zero, and zero beyond the end", () => {
  const expected = [0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0, 0]
  close(rates({ kind: "linear", warmupSteps: 2, steps: 10 }), expected)
  close(
    rates({ kind: "linear", warmupSteps: 2, steps: 10 }, 2e-5),
    expected.map((rate) => rate * 2e-5),
  )
})

test("cosine: half a wave after the warm-up", () => {
  close(rates({ kind: "cosine", warmupSteps: 0, steps: 4 }), [1, (1 + half) / 2, 0.5, (1 - half) / 2, 0, 0])
  close(rates({ kind: "cosine", warmupSteps: 1, steps: 3 }), [0, 1, 0.5, 0, 0])
})

test("constant: stays at the peak", () => {
  close(rates({ kind: "constant", warmupSteps: 4, steps: 6 }), [0, 0.25, 0.5, 0.75, 1, 1, 1, 1])
})

test("warm-up of all steps never comes down", () => {
  close(rates({ kind: "linear", warmupSteps: 4, steps: 4 }), [0, 0.25, 0.5, 0.75, 1, 0])
})

test("warm-up as a share rounds up, as a number it is one, and never exceeds the run", () => {
  assert.deepEqual(
    [warmupSteps(0, 100), warmupSteps(0.1, 100), warmupSteps(0.1, 101), warmupSteps(1, 100), warmupSteps(500, 100)],
    [0, 10, 11, 1, 100],
  )
})

test("a run of one step has no warm-up: its step would have the rate 0", () => {
  assert.deepEqual([warmupSteps(0.1, 1), warmupSteps(1, 1), warmupSteps(0.1, 2)], [0, 0, 1])
  close(rates({ kind: "linear", warmupSteps: warmupSteps(0.1, 1), steps: 1 }), [1, 0, 0])
})

test("other warm-ups are refused with what was found", () => {
  for (const wrong of [-0.1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(
      () => warmupSteps(wrong, 100),
      (error) => error instanceof InvalidSettings && error.field === "warmup" && error.found === `${wrong}`,
    )
  }
})
