import assert from "node:assert/strict"
import { test } from "node:test"
import { groupsOf, loraFor, partsNamed, SettingsError, TrainSettings, valueFor, withRates } from "@tandem/runs"
import { Effect, Schema } from "effect"

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

test("LoRA by part: rank, alpha and the ends of modules' names", () => {
  const modules = (lora: number | string | Record<string, string>, names: readonly string[]) => {
    const { targets, exclude } = loraFor(lora, "generator")!
    const [wanted, unwanted] = [targets === "all-linear" ? ".*" : targets, exclude].map(
      (text) => new RegExp(`^(?:${text})$`),
    )
    return names.filter((name) => wanted!.test(name) && !unwanted!.test(name))
  }
  const names = [
    "generator/h.0.q_proj",
    "generator/h.0.up",
    "generator/h.11.up",
    "generator/lm_head",
    "query/h.0.q_proj",
  ]
  assert.deepEqual(modules(8, names), names.slice(0, 3))
  assert.deepEqual(modules("8:4:q_proj|lm_head", names), [names[0], names[3]])
  assert.deepEqual(modules({ all: "2", generator: "8:4:h.1*" }, names), [names[2]])
  const sizes = (lora: number | string | Record<string, string>) => {
    const { rank, alpha } = loraFor(lora, "generator") ?? {}
    return [rank, alpha]
  }
  assert.deepEqual(
    [sizes(8), sizes("8:4.5"), sizes({ generator: "2:1" })],
    [
      [8, 16],
      [8, 4.5],
      [2, 1],
    ],
  )
  assert.equal(loraFor({ query: "2" }, "generator"), undefined)
})

test("adapters take ten times the rate of weights where nothing is said", () => {
  const rates = (given: object) => withRates(Schema.decodeUnknownSync(TrainSettings)({ out: "run", ...given })).lr
  assert.deepEqual([rates({}), rates({ lora: 8 }), rates({ lora: 8, lr: 1 })], [2e-5, 2e-4, 1])
  assert.deepEqual(rates({ lora: { generator: 8 } }), { all: 2e-5, generator: 2e-4 })
})
