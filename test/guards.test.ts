import assert from "node:assert/strict"
import { test } from "node:test"
import { guardedSteps } from "../bench/support/GuardedSteps.ts"
import { describeDifference, differences, isLower, readGuards, updated } from "../scripts/guards.ts"

test("no step of a fixed shape does more than is recorded", async (context) => {
  const differing = differences(readGuards(), await guardedSteps())
  for (const difference of differing.filter(isLower)) context.diagnostic(describeDifference(difference))
  const risen = differing.filter((difference) => !isLower(difference))
  assert.ok(risen.length === 0, risen.map(describeDifference).join("\n"))
})

test("every recorded figure has a reason", () => {
  for (const figures of Object.values(readGuards()))
    for (const [figure, { reason }] of Object.entries(figures)) assert.ok(reason.trim() !== "", figure)
})

test("a rise and a new figure fail, a fall may be recorded, and what stays keeps its reason", () => {
  const guards = { step: { nodes: { value: 5, reason: "first" }, products: { value: 3, reason: "first" } } }
  const found = { step: { nodes: 6, products: 3, bytes: 1 } }
  const differing = differences(guards, found)
  assert.deepEqual(
    differing.map(({ figure, recorded, found: now }) => [figure, recorded, now]),
    [
      ["nodes", 5, 6],
      ["bytes", undefined, 1],
    ],
  )
  assert.ok(!differing.some(isLower))
  assert.match(describeDifference(differing[0]!), /step: nodes was 5, is 6.*node scripts\/guards\.ts --write/)
  assert.ok(differences(guards, { step: { nodes: 4, products: 3 } }).every(isLower))
  assert.deepEqual(updated(guards, found, "second"), {
    step: {
      nodes: { value: 6, reason: "second" },
      products: { value: 3, reason: "first" },
      bytes: { value: 1, reason: "second" },
    },
  })
})
