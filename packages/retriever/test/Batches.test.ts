import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { planBatches } from "../src/internal/Batches.ts"

const lengths = Array.from({ length: 500 }, (_, i) => 1 + ((i * 7919) % 200))

describe("planBatches", () => {
  it("puts every text into one batch, which is as wide as its longest text", () => {
    const plans = planBatches(lengths, 32)
    const members = plans.flatMap((plan) => plan.members)
    assert.deepEqual(
      members.toSorted((a, b) => a - b),
      lengths.map((_, index) => index),
    )
    for (const plan of plans) {
      assert.ok(plan.members.length <= 32)
      assert.equal(plan.tokens, Math.max(...plan.members.map((index) => lengths[index]!)))
      assert.ok(plan.members.length * plan.tokens <= 1024)
    }
  })

  it("wastes little: at most a twentieth of what a large set runs is padding", () => {
    const run = planBatches(lengths, 32).reduce((sum, { members, tokens }) => sum + members.length * tokens, 0)
    const real = lengths.reduce((sum, length) => sum + length, 0)
    assert.ok(real / run > 19 / 20, `${real} of ${run}`)
  })

  it("runs a text alone that is longer than a batch's tokens, and one without any", () => {
    assert.deepEqual(planBatches([0, 3000, 5], 32), [
      { members: [1], tokens: 3000 },
      { members: [2, 0], tokens: 5 },
    ])
    assert.deepEqual(planBatches([0], 32), [{ members: [0], tokens: 1 }])
    assert.deepEqual(planBatches([], 32), [])
  })
})
