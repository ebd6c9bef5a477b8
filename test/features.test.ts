import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { featuresFile, renderFeatures } from "../scripts/features.ts"

test("docs/features.md is what the tables say", async () => {
  const found = readFileSync(featuresFile, "utf8").split("\n")
  const expected = (await renderFeatures()).split("\n")
  const at = expected.findIndex((line, index) => line !== found[index])
  assert.ok(
    at < 0 && found.length === expected.length,
    `stale from line ${at + 1}: run node scripts/features.ts\n- ${found[at]}\n+ ${expected[at]}`,
  )
})
