import assert from "node:assert/strict"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { evaluate, search, type TrainInput, train } from "../../src/Promises.ts"
import { fewExamples, writeOwn } from "../support/FewExamples.ts"
import { golden, scratchFolder } from "../support/Tandem.ts"

const scratch = scratchFolder()
const { data, corpus } = writeOwn(scratch)
const out = (name: string): string => join(scratch, name)
const few = {
  data,
  corpus,
  model: golden("sentence-transformers-tiny"),
  batchSize: 3,
  epochs: 2,
  lr: 1e-3,
  threads: 1,
} as const

/** The losses in a run's folder. */
const losses = (run: string): readonly unknown[] =>
  readFileSync(join(run, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .flatMap((row) => ("loss" in row ? [row.loss] : []))

test("a run is trained, measured and searched with plain promises", async () => {
  const run = out("whole")
  const events: string[] = []
  const report = await train({ ...few, dev: data, out: run }, { onEvent: ({ event }) => void events.push(event) })
  assert.equal(report.status, "completed")
  assert.equal(report.steps, 4)
  assert.equal(events.filter((event) => event === "step").length, 4)
  assert.ok(events.includes("eval") && events.includes("checkpoint") && events.includes("phase"))

  const figures = await evaluate({ run, data, corpus })
  assert.equal(figures["n"], fewExamples.length)
  assert.equal(figures["mrr@10"], report.after?.["mrr@10"])

  const questions = fewExamples.map(({ query }) => query)
  const found = await search({ run, questions, k: 2 })
  assert.deepEqual(
    found.map((list) => list.length),
    questions.map(() => 2),
  )
  const [alone] = await search({ run, questions: questions[0]!, k: 2 })
  assert.deepEqual(
    alone?.map(({ id }) => id),
    found[0]?.map(({ id }) => id),
  )
})

const rejected: readonly (readonly [string, object, { readonly field: string; readonly [key: string]: string }])[] = [
  ["a key that no setting has", { batchsize: 2 }, { field: "batchsize", message: "batchsize is not a setting" }],
  ["one within a group", { model: "tiny", tiny: { width: 2 } }, { field: "tiny.width" }],
  ["a flag's name", { "batch-size": 2 }, { field: "batch-size" }],
  ["a wrong value", { batchSize: 0 }, { field: "batchSize", expected: "a whole number, 1 or more", found: "0" }],
  ["one within a group", { model: "tiny", tiny: { layers: "two" } }, { field: "tiny.layers", found: "two" }],
  ["a wrong choice", { optimizer: "sgd" }, { field: "optimizer", expected: "adamw or lion", found: "sgd" }],
  ["no data", { data: undefined }, { field: "data", message: "data is needed" }],
  ["an empty list of data", { data: [] }, { field: "data", message: "data is needed" }],
  ["no model", { model: undefined }, { field: "model", message: "no model is named" }],
  [
    "a setting without effect",
    { negatives: "none", hardNegatives: 3 },
    { field: "hardNegatives", message: "hardNegatives has no effect with negatives none" },
  ],
]

for (const [name, change, expected] of rejected) {
  test(`settings: ${name}`, async () => {
    const run = out("refused")
    // What a program in JavaScript can write and the types forbid.
    const input: TrainInput = Object.assign({ ...few, out: run }, change)
    await assert.rejects(train(input), { _tag: "Settings", ...expected })
    assert.ok(!existsSync(run))
  })
}

test("settings of evaluating and searching are checked alike", async () => {
  await assert.rejects(evaluate({ run: out("none"), data: [data], threads: 0 }), { _tag: "Settings", field: "threads" })
  await assert.rejects(search({ run: out("none"), questions: "who?", k: 0.5 }), { _tag: "Settings", field: "k" })
})

test("a rejection is the tagged error itself", async () => {
  const file = out("nowhere.jsonl")
  await assert.rejects(train({ ...few, data: file, out: out("unread") }), { _tag: "UnreadableFile", file })
  await assert.rejects(search({ run: out("nowhere"), questions: "who?" }), { _tag: "InvalidRun" })
})

test("an abort ends with a checkpoint, from which the run goes on with the same losses", async () => {
  const [run, reference] = [out("aborted"), out("undisturbed")]
  await train({ ...few, out: reference })
  const controller = new AbortController()
  const onEvent = ({ event }: { readonly event: string }) => {
    if (event === "step") controller.abort()
  }
  const { signal } = controller
  await assert.rejects(train({ ...few, out: run }, { onEvent, signal }), { _tag: "TrainingInterrupted", step: 1 })
  assert.equal(JSON.parse(readFileSync(join(run, "report.json"), "utf8")).status, "interrupted")
  assert.equal(readdirSync(join(run, "checkpoints")).length, 1)
  const report = await train({ ...few, out: run, resume: true })
  assert.equal(report.status, "completed")
  assert.deepEqual(losses(run), losses(reference))
})

test("an abort before the first step ends at once", async () => {
  const expected = { _tag: "TrainingInterrupted", step: 0 }
  await assert.rejects(train({ ...few, out: out("never") }, { signal: AbortSignal.abort() }), expected)
  const controller = new AbortController()
  const onEvent = ({ event }: { readonly event: string }) => {
    if (event === "phase") controller.abort()
  }
  await assert.rejects(train({ ...few, out: out("early") }, { onEvent, signal: controller.signal }), expected)
  assert.ok(!existsSync(join(out("early"), "checkpoints")))
  // What was not begun holds no lock either.
  assert.equal((await train({ ...few, out: out("early"), maxSteps: 1 })).steps, 1)
})

test("what a listener throws ends the call", async () => {
  const onEvent = ({ event }: { readonly event: string }) => {
    if (event === "step") throw new TypeError("no room for events")
  }
  await assert.rejects(train({ ...few, out: out("thrown") }, { onEvent }), new TypeError("no room for events"))
})
