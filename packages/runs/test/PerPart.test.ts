import assert from "node:assert/strict"
import { test } from "node:test"
import { groupsOf, partsNamed, SettingsError, valueFor } from "@tandem/runs"
import { Effect } from "effect"

test("a value by part: its own, else that for all, else what holds otherwise", () => {
  assert.deepEqual([valueFor(3, "query", 9), valueFor(undefined, "query", 9)], [3, 9])
  const some = { all: 1, generator: 2 }
  assert.deepEqual([valueFor(some, "generator", 9), valueFor(some, "query", 9)], [2, 1])
  assert.equal(valueFor({ generator: 2 }, "query", 9), 9)
  assert.deepEqual([partsNamed(3), partsNamed(some)], [[], ["generator"]])
})

const parameters = new Map(["query/w", "passage/w", "generator/w"].map((name) => [name, 0]))
const objective = { parameters, trainable: ["query/w", "generator/w"] }
const groups = (lr: number | Record<string, number>, weightDecay: number | Record<string, number> = 0.01) =>
  Effect.runSync(groupsOf({ lr, weightDecay }, objective))

test("rates and decays by part are groups beside the first part that trains", () => {
  assert.deepEqual(groups(1e-3), { learningRate: 1e-3, update: { weightDecay: 0.01, groups: [] } })
  assert.deepEqual(groups({ all: 1e-3, generator: 2e-3 }), {
    learningRate: 1e-3,
    update: { weightDecay: 0.01, groups: [{ pattern: "generator/*", rateScale: 2, weightDecay: 0.01 }] },
  })
  assert.deepEqual(groups({ query: 4e-5 }), {
    learningRate: 4e-5,
    update: { weightDecay: 0.01, groups: [{ pattern: "generator/*", rateScale: 2e-5 / 4e-5, weightDecay: 0.01 }] },
  })
  assert.deepEqual(groups(1e-3, { generator: 0 }).update.groups, [
    { pattern: "generator/*", rateScale: 1, weightDecay: 0 },
  ])
})

test("a value for a part that is not there, or does not train, is refused", () => {
  for (const part of ["reader", "passage"]) {
    const error = Effect.runSync(Effect.flip(groupsOf({ lr: { [part]: 1 }, weightDecay: 0 }, objective)))
    assert.ok(error instanceof SettingsError)
    assert.deepEqual([error.field, error.found], ["lr", part])
  }
})
