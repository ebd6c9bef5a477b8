import assert from "node:assert/strict"
import { test } from "node:test"
import {
  count,
  countDoc,
  defaultText,
  flagName,
  settingGroup,
  settingsOf,
  settingWithDefault,
  TrainSettings,
  trainFields,
} from "@tandem/runs"
import { Schema } from "effect"

test("settings know their defaults, which stand once", () => {
  const decoded = Schema.decodeUnknownSync(TrainSettings)({ out: "run" })
  const known = settingsOf(TrainSettings)
  assert.deepEqual(Object.keys(known).sort(), Object.keys(trainFields).sort())
  for (const [key, value] of Object.entries(decoded))
    if (key !== "out") assert.deepEqual(known[key]?.default, value, key)
  for (const [key, { about }] of Object.entries(known)) assert.ok(about.length > 5, key)
  const texts = ["lr", "weightDecay", "evalEvery", "freeze", "resume"].map((key) => defaultText(known[key]!))
  assert.deepEqual(texts, ["2e-5, with LoRA 2e-4", "0.01", "an epoch", undefined, undefined])
  assert.equal(flagName("saveEvery"), "save-every")
})

test("a group holds settings of its own, and is absent as a whole", () => {
  const schema = Schema.Struct({
    tiny: settingGroup(Schema.Struct({ layers: settingWithDefault(count, 2, countDoc("layers")) }), "sizes"),
  })
  assert.deepEqual(Schema.decodeUnknownSync(schema)({}), {})
  assert.deepEqual(Schema.decodeUnknownSync(schema)({ tiny: {} }), { tiny: { layers: 2 } })
  assert.equal(settingsOf(schema)["tiny"]?.fields?.["layers"]?.default, 2)
})
