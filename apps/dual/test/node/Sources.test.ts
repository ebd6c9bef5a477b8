// Where passages and prompts come from: what is said beside something that leaves it without effect, what is not there, and
// what two files say differently, ends in an error and never in another source.
import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { DuplicatePassageError } from "@tandem/datasets"
import { type EvaluateRaltSettings, evaluateRalt, type PassageSource, prepareRalt, trainRalt } from "@tandem/dual"
import { raltTrainApp } from "@tandem/dual/TrainApp"
import { readRagPrompt } from "@tandem/generator"
import { decodeTrainSettings, SettingsError } from "@tandem/runs"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"

const folder = mkdtempSync(join(tmpdir(), "tandem-sources-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const lines = (name: string, rows: readonly unknown[]): string => {
  const file = join(folder, name)
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
  return file
}
const things = ["house", "boat", "garden", "mill"]
const questions = (from: number, to: number) =>
  things.slice(from, to).map((thing, index) => ({
    ...{ id: `q${from + index}`, query: `who owns the ${thing}?`, answers: [`owner ${from + index}`] },
    positives: [{ id: `${thing}-1`, text: `The ${thing} belongs to owner ${from + index}.` }],
  }))
const train = lines("train.jsonl", questions(0, 2))
const dev = lines("dev.jsonl", questions(2, 4))
const silent = { observe: () => Effect.void }
const settings = {
  ...{ data: train, dev, generator: "tiny", k: 1, batchSize: 2, maxAnswer: 24, maxPrompt: 96, answers: 0 },
  ...{
    tiny: { hidden: 32, layers: 1, heads: 2, intermediate: 64, vocabulary: 200 },
    threads: 1,
    epochs: 2,
    dropout: 0,
  },
}
const decoded = (out: string, more: object) =>
  Effect.runPromise(decodeTrainSettings(raltTrainApp, { ...settings, out: join(folder, out), ...more }))
const run = async (out: string, more: object = {}, stopAt = Number.POSITIVE_INFINITY) => {
  const steps: Readonly<Record<string, number>>[] = []
  const phases: string[] = []
  const given = await decoded(out, more)
  await Effect.runPromise(
    trainRalt(given, {
      runtime: layer({ threads: 1 }),
      stopRequested: Effect.sync(() => steps.length >= stopAt),
      observe: (event) =>
        Effect.sync(() => {
          if (event.event === "step") steps.push(event.metrics)
          if (event.event === "phase") phases.push(event.name)
        }),
    }),
  )
  return { steps, phases }
}
const prepare = (source: PassageSource & { readonly format?: string }, data = train) =>
  Effect.runPromise(
    Effect.flip(
      prepareRalt(
        { data: [data], k: 1, out: join(folder, "found.jsonl"), device: "cpu", threads: 1, ...source },
        silent,
      ),
    ),
  )

const prepared = join(folder, "prepared.jsonl")
await Effect.runPromise(prepareRalt({ data: [train], k: 1, out: prepared, device: "cpu", threads: 1 }, silent))

for (const [name, source, field] of [
  ["a retriever beside BM25", { passages: "bm25", retriever: "run" }, "retriever"],
  ["a retriever that is not named", { passages: "retriever" }, "retriever"],
  ["an index beside a corpus", { retriever: "run", store: "store", corpus: train }, "store"],
  ["an index without a retriever", { store: "store" }, "store"],
  ["an index that is none", { retriever: "run", store: folder }, "store"],
] as const) {
  test(`${name} is refused, in preparing and in measuring`, async () => {
    const found = await prepare(source)
    assert.ok(found instanceof SettingsError && found.field === field, String(found))
    const measured: EvaluateRaltSettings = {
      ...{ generator: "nowhere", data: [train], kEval: [1], answers: 0, seed: 0, device: "cpu", threads: 1 },
      ...source,
    }
    const error = await Effect.runPromise(Effect.flip(evaluateRalt(measured, silent)))
    assert.ok(error instanceof SettingsError && error.field === field, String(error))
  })
}

test("a format, and a source, beside prepared questions are refused in measuring", async () => {
  const measured = { generator: "nowhere", data: [prepared], kEval: [1], answers: 0, seed: 0, device: "cpu" } as const
  for (const [field, value] of Object.entries({ format: "jsonl", corpus: train })) {
    const error = await Effect.runPromise(Effect.flip(evaluateRalt({ ...measured, [field]: value }, silent)))
    assert.ok(error instanceof SettingsError && error.field === field, String(error))
  }
})

test("one id for two texts, in training and in evaluation questions, is refused", async () => {
  const [first] = questions(2, 3)
  const other = lines("other.jsonl", [{ ...first, positives: [{ id: "house-1", text: "The house burnt down." }] }])
  await assert.rejects(run("two-texts", { dev: other }), (error) => error instanceof DuplicatePassageError)
})

test("a run of prepared and other questions goes on without searching again", async () => {
  await assert.rejects(run("mixed", { data: prepared, dev }, 1), { _tag: "TrainingInterrupted" })
  const kept = join(folder, "mixed/prepared/dev.jsonl")
  const { mtimeMs } = statSync(kept)
  const { phases } = await run("mixed", { data: prepared, dev, resume: true })
  assert.ok(!phases.includes("indexing passages"), phases.join())
  assert.ok(statSync(kept).mtimeMs >= mtimeMs)
})

test("nats a token of a step do not depend on the number of passes", async () => {
  const long = lines("long.jsonl", [
    ...questions(0, 1),
    { ...questions(1, 2)[0], answers: ["owner 1 and owner 0 and owner"] },
  ])
  const [whole, several] = [await run("whole", { data: long }), await run("several", { data: long, passTokens: 1 })]
  for (const [index, { nll }] of several.steps.entries()) {
    const expected = whole.steps[index]?.["nll"]
    assert.ok(Math.abs((nll ?? Number.NaN) - (expected ?? Number.NaN)) < 1e-4, `${nll}, not ${expected}`)
  }
})

test("a run's generator is asked as it was trained; one that does not say how, and a damaged word on it, are refused", async () => {
  const generator = join(folder, "whole")
  const file = join(generator, "generator/rag.json")
  const text = readFileSync(file, "utf8")
  await run("again", { generator, tiny: undefined, maxAnswer: undefined, maxPrompt: undefined })
  const { maxAnswer, maxPrompt } = readRagPrompt(
    JSON.parse(readFileSync(join(folder, "again/generator/rag.json"), "utf8")),
  )
  assert.deepEqual({ maxAnswer, maxPrompt }, { maxAnswer: 24, maxPrompt: 96 })
  const measured = { generator, data: [train], kEval: [1], answers: 0, seed: 0, device: "cpu", threads: 1 } as const
  writeFileSync(file, text.replace('"maxAnswer"', '"maxAnser"'))
  const damaged = await Effect.runPromise(Effect.flip(evaluateRalt(measured, silent)))
  assert.equal(damaged._tag, "InvalidTemplate")
  rmSync(file)
  const absent = await Effect.runPromise(Effect.flip(evaluateRalt(measured, silent)))
  assert.ok(absent._tag === "InvalidRun" && absent.file === file)
})
