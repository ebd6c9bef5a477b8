import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { readmeFile, renderPerformance } from "../scripts/performance.ts"

test("the README's table of speed and memory is what bench/out says", () => {
  const found = readFileSync(readmeFile, "utf8").split("\n")
  const expected = renderPerformance(found.join("\n")).split("\n")
  const at = expected.findIndex((line, index) => line !== found[index])
  assert.ok(
    at < 0 && found.length === expected.length,
    `stale from line ${at + 1}: run node scripts/performance.ts\n- ${found[at]}\n+ ${expected[at]}`,
  )
})
