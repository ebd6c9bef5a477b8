// RALT teaches a reader to answer out of the right one of several passages and lets it forget nothing; data with gold passages
// alone do neither.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { misleading, raltAnswers, trainRaltReader, trainRaltTask, writeRaltWorld } from "./support/RaltTask.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-ralt-task-"))
after(() => rmSync(folder, { recursive: true, force: true }))

test("a reader learns to tell passages apart and keeps what it knows, not from gold passages alone", async (t) => {
  const task = { ...misleading, seed: 0 }
  const world = await writeRaltWorld(folder, task)
  const reader = await trainRaltReader(world, task)
  const before = await raltAnswers(world, reader, task)
  const both = await raltAnswers(world, await trainRaltTask(world, reader, task, "both"), task)
  const control = await raltAnswers(world, await trainRaltTask(world, reader, task, "gold alone"), task)
  for (const [name, figures] of Object.entries({ before, both, control }))
    t.diagnostic(`${name}: ${JSON.stringify(figures)}`)
  assert.ok(before.closedBook >= 0.9 && before.gold - before.misleading >= 0.5)
  assert.ok(both.gold >= 0.9 && both.gold - both.misleading <= 0.05 && both.closedBook >= before.closedBook - 0.02)
  assert.ok(control.gold - control.misleading >= 0.5)
})
