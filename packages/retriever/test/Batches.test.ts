import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { bucketOf, planBatches } from "../src/internal/Batches.ts"

const lengths = Array.from({ length: 500 }, (_, i) => 1 + ((i * 7919) % 200))

describe("planBatches", () => {
  it("puts every text into one batch that is wide enough", () => {
    const plans = planBatches(lengths, { batchSize: 32, maxLength: 200 })
    const members = plans.flatMap((plan) => plan.members)
    assert.deepEqual(
      members.toSorted((a, b) => a - b),
      lengths.map((_, index) => index),
    )
    for (const plan of plans) {
      assert.ok(plan.members.length <= plan.rows && plan.rows <= 32)
      assert.ok(plan.members.every((index) => lengths[index]! <= plan.tokens && plan.tokens <= 200))
      assert.ok(plan.rows * plan.tokens <= 2048)
    }
  })

  it("uses one shape for each width, and one more for the rest", () => {
    const plans = planBatches(lengths, { batchSize: 32, maxLength: 200 })
    const shapes = new Set(plans.map(({ rows, tokens }) => `${rows}x${tokens}`))
    const widths = new Set(plans.map(({ tokens }) => tokens))
    assert.ok(shapes.size <= widths.size + 1)
    assert.ok(widths.size <= 9)
  })

  it("wastes little: at most a sixth of what a large set runs is padding", () => {
    const plans = planBatches(lengths, { batchSize: 32, maxLength: 256 })
    const run = plans.reduce((sum, { rows, tokens }) => sum + rows * tokens, 0)
    const real = lengths.reduce((sum, length) => sum + length, 0)
    assert.ok(real / run > 5 / 6, `${real} of ${run}`)
  })

  it("pads a small batch to a power of two and no further than a full one", () => {
    const rows = (count: number, batchSize: number) =>
      planBatches(new Array<number>(count).fill(5), { batchSize, maxLength: 64 }).map((plan) => plan.rows)
    assert.deepEqual(rows(1, 32), [1])
    assert.deepEqual(rows(3, 32), [4])
    assert.deepEqual(rows(21, 24), [24])
    assert.deepEqual(rows(29, 24), [24, 8])
    assert.deepEqual(rows(0, 24), [])
  })
})

describe("bucketOf", () => {
  it("steps by 16, 32, 64 and 128, and stops at the maximum length", () => {
    const widths = [1, 16, 17, 64, 65, 200, 257, 512, 513].map((length) => bucketOf(length, 4096))
    assert.deepEqual(widths, [16, 16, 32, 64, 96, 224, 320, 512, 640])
    assert.equal(bucketOf(65, 70), 70)
    assert.equal(bucketOf(0, 70), 1)
  })
})
