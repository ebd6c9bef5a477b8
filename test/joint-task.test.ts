// Joint training on questions and answers alone finds the passages that answer, which nobody named; where the scores are
// severed from the graph it does not.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { MissingGradient } from "@tandem/autodiff"
import { severed, silenced } from "./support/JointFaults.ts"
import { trainTask, trainTaskRetriever, weakStart, writeJointWorld } from "./support/JointTask.ts"
import { trainTaskReader } from "./support/TaskWorld.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-joint-task-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const task = { ...weakStart, seed: 0, names: 96, readerSteps: 300 }

test("a weak retriever and a reader find and answer, and only if the loss reaches the scores", async (t) => {
  const world = await writeJointWorld(folder, task)
  const generator = await trainTaskReader(world, task.readerSteps)
  const retriever = await trainTaskRetriever(world, task.warmSteps)
  const train = (name: string, plant?: typeof severed) =>
    trainTask(
      world,
      { retriever, generator },
      { loss: "rag-token", temperature: 0.03, maxSteps: 260, epochs: 100, answers: 128, out: join(folder, name) },
      plant === undefined ? {} : { plant },
    )
  const whole = await train("whole")
  const cut = await train("cut", silenced)
  for (const [name, { before, after: result }] of Object.entries({ whole, cut })) {
    const figures = ["recall@1", "retrieved.exactMatch", "closedBook.exactMatch"]
    t.diagnostic(`${name}: ${figures.map((each) => `${each} ${before?.[each]} → ${result?.[each]}`).join(", ")}`)
    assert.ok(before!["recall@1"]! <= 0.2 && result!["closedBook.exactMatch"]! <= 0.05)
  }
  assert.ok(whole.after!["recall@1"]! >= 0.85 && whole.after!["retrieved.exactMatch"]! >= 0.8)
  assert.ok(cut.after!["recall@1"]! <= 0.2 && cut.after!["retrieved.exactMatch"]! <= 0.2)
  await assert.rejects(train("severed", severed), MissingGradient)
})
