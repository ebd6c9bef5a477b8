// A joint run that is stopped anywhere, a refresh of its index under way or not, goes on as the run that never was stopped.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { trainJoint } from "@tandem/joint"
import { jointTrainApp } from "@tandem/joint/TrainApp"
import { decodeTrainSettings, type RunEvent } from "@tandem/runs"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { hashes, rowsOf } from "../../../../test/support/TrainingProcess.ts"
import { smallRun, smallWorld } from "../support/SmallWorld.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-joint-resume-"))
after(() => rmSync(folder, { recursive: true, force: true }))
const world = smallWorld(folder)

const run = async (out: string, more: object, stopAt = Number.POSITIVE_INFINITY): Promise<readonly RunEvent[]> => {
  const events: RunEvent[] = []
  let steps = 0
  const settings = await Effect.runPromise(
    decodeTrainSettings(jointTrainApp, { ...smallRun(world), out: join(folder, out), ...more }),
  )
  const training = trainJoint(settings, {
    runtime: layer({ threads: 1 }),
    observe: (event) =>
      Effect.sync(() => {
        events.push(event)
        if (event.event === "step") steps = event.step
      }),
    stopRequested: Effect.sync(() => steps >= stopAt),
  })
  if (Number.isFinite(stopAt)) await assert.rejects(Effect.runPromise(training), { _tag: "TrainingInterrupted" })
  else await Effect.runPromise(training)
  return events
}

const swaps = (events: readonly RunEvent[]) =>
  events.flatMap((event) => (event.event === "refresh" ? [[event.madeAt, event.step]] : []))

const cases: Readonly<Record<string, { readonly settings: object; readonly swaps: readonly (readonly number[])[] }>> = {
  "adapters, passages live, a refresh beside training": {
    settings: {
      ...{ lora: { generator: "4:8" }, train: ["query", "generator", "passage"], passTokens: 120, loss: "rag-token" },
      ...{ refresh: "every:4", refreshDelay: 3, maxSteps: 14, epochs: 10, evalEvery: 5 },
    },
    swaps: [
      [4, 7],
      [8, 11],
    ],
  },
  "searched again along the answer, candidates of an old index scored anew": {
    settings: {
      ...{ train: ["query", "generator", "passage"], loss: "rag-token", renewEvery: 2, overRetrieve: 2 },
      ...{ refresh: "schedule:0=5", refreshDelay: 2, maxSteps: 12, epochs: 10, evalEvery: 12 },
    },
    swaps: [
      [5, 7],
      [10, 12],
    ],
  },
  "everything trained, the index made anew where it has drifted": {
    settings: {
      ...{ train: ["query", "generator", "passage"], refresh: "drift:0.9999", maxSteps: 14, epochs: 10 },
      ...{ evalEvery: 7, labelSmoothing: 0.1 },
    },
    swaps: [[10, 10]],
  },
}

for (const [name, { settings, swaps: expected }] of Object.entries(cases)) {
  test(`${name}: stopped after several steps in turn, the run is the same bit for bit`, async () => {
    const id = name.replaceAll(/\W+/g, "-")
    const whole = await run(`${id}-whole`, settings)
    assert.deepEqual(swaps(whole), expected)
    const out = `${id}-stopped`
    const seen: (readonly number[])[] = []
    for (const [index, stopAt] of [2, 5, 6, 10, Number.POSITIVE_INFINITY].entries())
      seen.push(...swaps(await run(out, { ...settings, resume: index > 0 }, stopAt)))
    assert.deepEqual(seen, expected)
    assert.deepEqual(rowsOf(join(folder, out)), rowsOf(join(folder, `${id}-whole`)))
    for (const part of ["retriever", "passage-retriever", "generator"])
      assert.deepEqual(hashes(join(folder, out, part)), hashes(join(folder, `${id}-whole`, part)), part)
  })
}
