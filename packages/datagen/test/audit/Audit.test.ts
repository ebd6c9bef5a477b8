import assert from "node:assert/strict"
import { test } from "node:test"
import { type Conversation, isSound, type RejectedLine } from "../../src/index.ts"
import { auditOf, pageOf } from "../support/AuditOf.ts"
import { chunkOf, threeConversations, turnsOf } from "../support/Conversations.ts"

const evil = chunkOf("x", "<b>.md", "</script><script>alert(1)</script> & “it is so” in this place.")
const item = { key: "k0", chunk: evil, shown: [evil], failed: false }
const rejected: readonly RejectedLine[] = [
  { item, stage: "verify", reason: "invented-quote: turn 2: <i>", turns: turnsOf("Why <u>?", "Because.") },
  { item: { ...item, shown: [] }, stage: "filter", reason: "not fit for questions: a list" },
  { item: { ...item, shown: [] }, stage: "filter", reason: "not fit for questions: navigation" },
]
const attacked: Conversation = { item, turns: turnsOf("<img src=x onerror=alert(1)>?", "“it is so” [<b>.md].") }

test("everything is counted, and the page says it", async () => {
  const audit = await auditOf(threeConversations, rejected)
  const { success, failed, rejected: left, rows, untrained, characters, trainedCharacters } = audit.counts
  assert.deepEqual([success, failed, left, rows, untrained], [2, 1, 3, 3, 0])
  assert.ok(trainedCharacters > 0 && trainedCharacters < characters)
  assert.deepEqual(audit.reasons, [
    { stage: "filter", reason: "not fit for questions", count: 2 },
    { stage: "verify", reason: "invented-quote", count: 1 },
  ])
  assert.ok(isSound(audit))
  const page = pageOf(audit)
  assert.match(page, /<h1>3 training rows out of 6 items<\/h1>/)
  assert.match(page, /All rows and all rejected items/)
  assert.match(page, /1.75/)
  assert.equal(page.match(/<details class="item"/g)?.length, 6)
})

test("masks are those of the rows, and the true chunk is marked", async () => {
  const page = pageOf(await auditOf(threeConversations.slice(0, 1), []))
  assert.match(page, /<span class="masked">User: What first\?\n<\/span><span class="trained">AI: Prime it/)
  assert.match(
    page,
    /<li class="is-true"><p class="meta"><span class="source">pump.md<\/span> <span class="badge true">/,
  )
  assert.match(page, /<li><p class="meta"><span class="source">oven.md<\/span><\/p>/)
  assert.match(page, /<summary>the system&#39;s turn, masked|<summary>the system's turn, masked/)
})

test("what documents and models say never becomes markup, and the page may load nothing", async () => {
  const page = pageOf(await auditOf([attacked], rejected))
  for (const markup of ["<script>alert", "<img", "<u>?", "<i>", "<b>.md"]) assert.ok(!page.includes(markup), markup)
  assert.match(page, /default-src 'none'/)
  assert.ok(!/(?:src|href)=["']?(?:https?:)?\/\//.test(page))
})

test("rows that fail checks, items that stand twice, and data without rows are no sound data", async () => {
  const invented = { ...threeConversations[0]!, turns: turnsOf("What?", "“never said by anyone at all” [pump.md].") }
  const audit = await auditOf([invented, ...threeConversations], [])
  assert.equal(isSound(audit), false)
  assert.deepEqual(audit.faults, [
    { check: "invented-quote", count: 1 },
    { check: "turns", count: 1 },
  ])
  assert.match(pageOf(audit), /Some of what was kept fails checks/)
  assert.equal(isSound(await auditOf([], rejected)), false)
})

test("more rows than the page shows are drawn by the seed, and said so", async () => {
  const many = Array.from({ length: 30 }, (_, at): Conversation => {
    const each = threeConversations[at % 3]!
    return { ...each, item: { ...each.item, key: `k${String(at).padStart(2, "0")}` } }
  })
  const keysOf = async (seed: number) => (await auditOf(many, [], 5, seed)).rows.map((row) => row.item.key)
  const keys = await keysOf(1)
  assert.equal(keys.length, 5)
  assert.deepEqual(keys, keys.toSorted())
  assert.deepEqual(await keysOf(1), keys)
  assert.notDeepEqual(await keysOf(2), keys)
  assert.match(pageOf(await auditOf(many, [], 5), 5), /5 of 30 rows and 0 of 0 rejected items, at most 5 of each/)
})
