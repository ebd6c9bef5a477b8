import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { readRecords } from "../bench/support/Records.ts"
import { performancePages, renderPerformance } from "../scripts/performance.ts"
import { root } from "../scripts/support/Workspace.ts"

for (const page of performancePages) {
  test(`the figures of speed and memory in ${page.name} are what bench/out says`, () => {
    const found = readFileSync(join(root, page.name), "utf8").split("\n")
    const expected = renderPerformance(page, found.join("\n"), readRecords()).split("\n")
    const at = expected.findIndex((line, index) => line !== found[index])
    assert.ok(
      at < 0 && found.length === expected.length,
      `stale from line ${at + 1}: run node scripts/performance.ts\n- ${found[at]}\n+ ${expected[at]}`,
    )
  })
}
