import assert from "node:assert/strict"
import { test } from "node:test"
import { dropoutRate } from "@tandem/trainers"
import { masks } from "../src/internal/maskKernel.ts"

const draw = async (length: number, { seed = 1, step = 0, rate = 0.25, before = 0 } = {}): Promise<Uint8Array> => {
  const arrays = Array.from({ length: before + 1 }, (_, index) => new Uint8Array(index === before ? length : 3).fill(9))
  await masks({ masks: arrays }, { seed, step, rates: arrays.map(() => rate), places: [...arrays.keys()] })
  return arrays[before]!
}

const kept = (mask: Uint8Array): number => mask.reduce((sum, value) => sum + value, 0) / mask.length

/** Five standard deviations of the share of `length` draws. */
const spread = (rate: number, length: number): number => 5 * Math.sqrt((rate * (1 - rate)) / length)

for (const rate of [0, 1 / 256, 26 / 256, 127 / 256, 128 / 256, 129 / 256, 200 / 256, 255 / 256]) {
  test(`of a mask of rate ${rate * 256}/256 as much is dropped, evenly over the places of a word`, async () => {
    const mask = await draw(400_000, { rate })
    assert.ok(mask.every((value) => value === 0 || value === 1))
    assert.ok(Math.abs(1 - kept(mask) - rate) <= spread(rate, mask.length))
    for (let lane = 0; lane < 4; lane++) {
      const part = mask.filter((_, index) => index % 4 === lane)
      assert.ok(Math.abs(1 - kept(part) - rate) <= spread(rate, part.length), `lane ${lane}`)
    }
  })
}

test("the threshold splits all 256 bytes where it should", async () => {
  // A byte is kept at rate t/256 exactly if it is at least t: thresholds one after another tell each drawn byte.
  const length = 999
  const bytes = new Uint8Array(length)
  for (let threshold = 1; threshold < 256; threshold++) {
    const mask = await draw(length, { rate: threshold / 256 })
    for (const [index, value] of mask.entries()) {
      if (value === 1) {
        assert.equal(bytes[index], threshold - 1, "kept at a higher threshold and not at a lower one")
        bytes[index] = threshold
      }
    }
  }
  assert.ok(new Set(bytes).size > 200)
})

test("equal numbers draw equal masks, others draw others", async () => {
  const length = 4096
  const mask = await draw(length)
  assert.deepEqual(await draw(length), mask)
  for (const other of [{ seed: 2 }, { step: 1 }, { before: 1 }, { seed: 1.5 }, { step: 2 ** 31 }]) {
    const another = await draw(length, other)
    const same = another.filter((value, index) => value === mask[index]).length / length
    const chance = 0.75 ** 2 + 0.25 ** 2
    assert.ok(Math.abs(same - chance) <= spread(chance, length), `${JSON.stringify(other)}: ${same}`)
  }
})

test("a mask is the same whatever is drawn beside it", async () => {
  const beside = [new Uint8Array(5000), new Uint8Array(17), new Uint8Array(100)]
  await masks({ masks: beside }, { seed: 3, step: 5, rates: [0.5, 0.1, 0.2], places: [0, 1, 2] })
  const alone = new Uint8Array(100)
  await masks({ masks: [alone] }, { seed: 3, step: 5, rates: [0.2], places: [2] })
  assert.deepEqual(alone, beside[2])
})

const mebibyte = 1 << 20

for (const length of [0, 1, 3, 15, 17, mebibyte - 1, mebibyte + 1, 2 * mebibyte + 37]) {
  test(`a mask of ${length} is the beginning of a longer one`, async () => {
    const [mask, longer] = [await draw(length), await draw(2 * mebibyte + 100)]
    assert.equal(Buffer.compare(mask, longer.subarray(0, length)), 0)
  })
}

test("pieces do not repeat", async () => {
  const mask = await draw(2 * mebibyte)
  assert.notEqual(Buffer.compare(mask.subarray(0, mebibyte), mask.subarray(mebibyte)), 0)
})

test("rates are 256ths that something survives", () => {
  assert.deepEqual([0, 0.1, 0.5, 0.999].map(dropoutRate), [0, 26 / 256, 0.5, 255 / 256])
})
