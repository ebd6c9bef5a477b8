import assert from "node:assert/strict"
import { describe, it } from "node:test"
import {
  drawNegatives,
  drawPositive,
  dualEncoderSampler,
  epochOrder,
  InvalidBatch,
  type SamplerOptions,
} from "@tandem/collators"
import { Random } from "@tandem/random"

const all = (count: number): readonly number[] => [...Array(count).keys()]
const ascending = (values: readonly number[]): readonly number[] => [...values].sort((a, b) => a - b)

/** The batches of one epoch, asked for step by step. */
const epochOf = (options: SamplerOptions, epoch = 0): readonly (readonly number[])[] => {
  const sampler = dualEncoderSampler(options)
  return all(sampler.batchesPerEpoch).map((batch) => {
    const place = sampler.batchAt(epoch * sampler.batchesPerEpoch + batch)
    assert.deepEqual([place.epoch, place.batch], [epoch, batch])
    return place.indices
  })
}

const random = Random.fromSeed("lengths")
const lengths = all(1003).map(() => 5 + random.integer(200))

describe("dualEncoderSampler", () => {
  for (const [name, grouping] of [
    ["in random order", {}],
    ["grouped by length", { lengthGrouped: { lengths, window: 7 } }],
  ] as const) {
    const options = { count: 1003, batchSize: 16, seed: 5, ...grouping }

    it(`visits every example once an epoch, ${name}, and keeps the incomplete batch last`, () => {
      for (const epoch of [0, 1, 4]) {
        const batches = epochOf(options, epoch)
        assert.deepEqual(ascending(batches.flat()), all(1003))
        assert.deepEqual([...new Set(batches.slice(0, -1).map((batch) => batch.length))], [16])
        assert.equal(batches.at(-1)?.length, 1003 % 16)
      }
    })

    it(`leaves the incomplete batch out by option, ${name}`, () => {
      const batches = epochOf({ ...options, dropLast: true })
      assert.equal(new Set(batches.flat()).size, 992)
      assert.ok(batches.every((batch) => batch.length === 16))
    })

    it(`gives the same batch for a step whatever was asked before, ${name}`, () => {
      const forward = dualEncoderSampler(options)
      const expected = all(200).map((step) => forward.batchAt(step))
      for (const step of [150, 3, 64, 63, 199, 0]) {
        assert.deepEqual(dualEncoderSampler(options).batchAt(step), expected[step])
        assert.deepEqual(forward.batchAt(step), expected[step])
      }
    })

    it(`has another order for another epoch or seed, ${name}`, () => {
      const orders = [epochOf(options), epochOf(options, 1), epochOf({ ...options, seed: 6 })]
      assert.equal(new Set(orders.map((order) => order.join())).size, 3)
    })
  }

  it("lets a last batch below the smallest join the one before it, and changes no other", () => {
    for (const grouping of [{}, { lengthGrouped: { lengths: lengths.slice(0, 49), window: 7 } }]) {
      const options = { count: 49, batchSize: 4, seed: 5, ...grouping }
      const plain = epochOf(options, 3)
      const joined = epochOf({ ...options, smallestBatch: 2 }, 3)
      assert.deepEqual(joined, [...plain.slice(0, -2), plain.slice(-2).flat()])
      assert.deepEqual(joined.at(-1)?.length, 5)
    }
    for (const options of [{ count: 50 }, { count: 48 }, { count: 49, dropLast: true }]) {
      const all = { batchSize: 4, seed: 5, ...options }
      assert.deepEqual(epochOf({ ...all, smallestBatch: 2 }), epochOf(all))
    }
    assert.deepEqual(
      epochOf({ count: 3, batchSize: 2, seed: 1, smallestBatch: 2 }).map(({ length }) => length),
      [3],
    )
    for (const sizes of [
      { count: 1, batchSize: 4 },
      { count: 9, batchSize: 1 },
    ]) {
      assert.throws(() => dualEncoderSampler({ ...sizes, seed: 1, smallestBatch: 2 }), InvalidBatch)
    }
  })

  it("follows `epochOrder` without grouping", () => {
    assert.deepEqual(epochOf({ count: 11, batchSize: 4, seed: "s" }, 2).flat(), epochOrder(11, "s", 2))
  })

  it("pads less where it groups by length, and does not sort the batches", () => {
    const padded = (batches: readonly (readonly number[])[]): number =>
      batches.reduce((sum, batch) => sum + batch.length * Math.max(...batch.map((index) => lengths[index]!)), 0)
    const options = { count: 1003, batchSize: 16, seed: 5 }
    const grouped = epochOf({ ...options, lengthGrouped: { lengths } })
    assert.ok(padded(grouped) < 0.7 * padded(epochOf(options)))
    const longest = grouped.slice(0, 50).map((batch) => Math.max(...batch.map((index) => lengths[index]!)))
    assert.notDeepEqual(longest, ascending(longest))
  })

  it("refuses settings without a batch", () => {
    for (const options of [
      { count: 0, batchSize: 4 },
      { count: 4, batchSize: 0 },
      { count: 3, batchSize: 4, dropLast: true },
      { count: 3, batchSize: 4, lengthGrouped: { lengths: [1, 2] } },
    ]) {
      assert.throws(() => dualEncoderSampler({ seed: 1, ...options }), InvalidBatch)
    }
    const sampler = dualEncoderSampler({ count: 3, batchSize: 4, seed: 1 })
    assert.throws(() => sampler.batchAt(-1), InvalidBatch)
    assert.throws(() => sampler.batchAt(0.5), InvalidBatch)
  })
})

describe("drawing passages", () => {
  const candidates = all(20).map((index) => `p${index}`)
  const draw = { seed: 3, epoch: 0, example: "q" }

  it("draws different ids that are not relevant, the same ones each time", () => {
    const relevant = new Set(["p4", "p5"])
    for (const epoch of all(20)) {
      const drawn = drawNegatives([...candidates, ...candidates], relevant, 18, { ...draw, epoch })
      assert.equal(new Set(drawn).size, 18)
      assert.ok(drawn.every((id) => candidates.includes(id) && !relevant.has(id)))
      assert.deepEqual(drawNegatives(candidates, relevant, 18, { ...draw, epoch }), drawn)
    }
  })

  it("draws others for another epoch, example or seed", () => {
    const draws = [draw, { ...draw, epoch: 1 }, { ...draw, example: "r" }, { ...draw, seed: 4 }]
    assert.equal(new Set(draws.map((one) => drawNegatives(candidates, new Set(), 5, one).join())).size, 4)
  })

  it("gives what there is where there is too little", () => {
    assert.deepEqual(drawNegatives([], new Set(), 3, draw), [])
    assert.deepEqual(drawNegatives(["p1", "p2"], new Set(["p2"]), 3, draw), ["p1"])
  })

  it("takes every positive in some epoch", () => {
    const taken = all(40).map((epoch) => drawPositive(["a", "b", "c"], { ...draw, epoch }))
    assert.deepEqual([...new Set(taken)].sort(), ["a", "b", "c"])
    assert.equal(drawPositive(["a"], draw), "a")
  })
})
