// Planted faults over invented documents, labelled before anything verified them: how many are found, and how much that is
// good is rejected.
import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { type Check, conversationVerifier, reasonOf } from "../../src/index.ts"
import { labelledLines } from "../golden/verification/make.ts"
import { labelledConversations } from "../support/LabelledReplies.ts"

/** Faults under the name that they are found by. */
const faults: readonly Check[] = [
  ...(["invented-quote", "unknown-source", "uncited", "truncated", "leaked-prompt"] as const),
  ...(["turns", "leaked-context", "not-abstaining"] as const),
]

test("the labelled set is what its script makes", () => {
  const file = readFileSync(new URL("../golden/verification/verification.jsonl", import.meta.url), "utf8")
  assert.equal(file, labelledLines())
})

test("of 200 labelled replies, faults are found with recall 0.95 and precision 0.9 at least", (t) => {
  const replies = labelledConversations()
  assert.equal(replies.length, 200)
  const found = replies.map(({ behaviour, conversation }) =>
    conversationVerifier({ failureBehavior: behaviour })(conversation),
  )
  const rows = faults.map((fault) => {
    const own = replies.flatMap(({ label }, at) => (label === fault ? [found[at]!] : []))
    const caught = own.filter((findings) => findings.length > 0).length
    const named = own.filter((findings) => findings.some(({ check }) => check === fault)).length
    return { fault, planted: own.length, caught, named }
  })
  const planted = rows.reduce((sum, row) => sum + row.planted, 0)
  const caught = rows.reduce((sum, row) => sum + row.caught, 0)
  const rejected = found.filter((findings) => findings.length > 0).length
  const [recall, precision] = [caught / planted, caught / rejected]
  for (const { fault, ...row } of rows) t.diagnostic(`${fault}: ${row.caught} of ${row.planted}, ${row.named} by name`)
  t.diagnostic(
    `recall ${recall.toFixed(3)}, precision ${precision.toFixed(3)}, good rejected ${rejected - caught} of 96`,
  )
  for (const [at, { id, label }] of replies.entries()) {
    const isRight = label === "good" ? found[at]!.length === 0 : found[at]!.some(({ check }) => check === label)
    if (!isRight) t.diagnostic(`${id}: ${found[at]!.map(reasonOf).join(" | ")}`)
  }
  assert.ok(recall >= 0.95, `recall ${recall}`)
  assert.ok(precision >= 0.9, `precision ${precision}`)
  for (const { fault, planted: count, named } of rows) assert.ok(named / count >= 0.8, `${fault}: ${named} of ${count}`)
})
