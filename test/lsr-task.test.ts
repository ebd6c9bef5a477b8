// A retriever that a reader teaches finds the one passage of eight on a topic that answers, which nobody named; where the
// scores are severed from the graph it does not.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { MissingGradient } from "@tandem/autodiff"
import { severed, silenced } from "./support/JointFaults.ts"
import { manners, teachTask, writeLsrWorld } from "./support/LsrTask.ts"
import { type TaskOptions, trainTaskReader } from "./support/TaskWorld.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-lsr-task-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const task = { ...manners, seed: 0, topics: 72, readerSteps: 400 }

test("a retriever learns from a reader which passages help, and only if the loss reaches the scores", async (t) => {
  const world = await writeLsrWorld(folder, task)
  const generator = await trainTaskReader(world, task.readerSteps)
  const asked: number[] = []
  const observe: TaskOptions["observe"] = (event) => {
    if (event.event === "step") asked.push(event.metrics["asked"] ?? 0)
  }
  const teach = (name: string, options: TaskOptions, steps: number) =>
    teachTask(
      world,
      generator,
      { candidates: "renewed", direction: "lm-retriever", maxSteps: steps, out: join(folder, name) },
      options,
    )
  const whole = await teach("whole", { observe }, 240)
  const cut = await teach("cut", { plant: silenced }, 60)
  for (const [name, { before, after: result }] of Object.entries({ whole, cut })) {
    const figures = ["recall@1", "retrieved.nll"]
    t.diagnostic(`${name}: ${figures.map((each) => `${each} ${before?.[each]} → ${result?.[each]}`).join(", ")}`)
    assert.ok(before!["recall@1"]! <= 0.2)
  }
  assert.ok(whole.after!["recall@1"]! >= 0.8 && whole.after!["retrieved.nll"]! < whole.before!["retrieved.nll"]! / 2)
  assert.ok(cut.after!["recall@1"]! <= 0.2)
  const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0)
  assert.ok(sum(asked.slice(0, 40)) > 2 * sum(asked.slice(-40)), "pairs that are known are not scored again")
  await assert.rejects(teach("severed", { plant: severed }, 60), MissingGradient)
})
