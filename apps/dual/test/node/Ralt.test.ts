// Fine-tuning a language model on retrieved passages, from files to a folder that is used.
import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { type EvaluateRaltSettings, evaluateRalt, prepareRalt, trainRalt } from "@tandem/dual"
import { raltTrainApp } from "@tandem/dual/TrainApp"
import { readRagPrompt } from "@tandem/generator"
import { loadPeftAdapter } from "@tandem/models/node/LoadPeftAdapter"
import { bytesOf } from "@tandem/onnx"
import { decodeTrainSettings, type RunReport, SettingsError } from "@tandem/runs"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { readSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"

const folder = mkdtempSync(join(tmpdir(), "tandem-ralt-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const owners = ["anna", "ben", "cleo", "dan", "eve", "finn", "gina", "hugo"]
const things = ["house", "boat", "garden", "mill", "tower", "bridge", "barn", "well"]
const lines = (name: string, rows: readonly unknown[]): string => {
  const file = join(folder, name)
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
  return file
}
const data = lines(
  "train.jsonl",
  things.map((thing, index) => ({
    id: `q${index}`,
    query: `who owns the ${thing}?`,
    answers: [owners[index], `${owners[index]} alone`],
    positives: [`${thing}-1`],
  })),
)
const corpus = lines(
  "corpus.jsonl",
  things.flatMap((thing, index) => [
    { id: `${thing}-1`, title: thing, text: `The ${thing} belongs to ${owners[index]}.` },
    { id: `${thing}-2`, title: thing, text: `The ${thing} is old and made of stone.` },
  ]),
)
const tiny = { hidden: 32, layers: 1, heads: 2, intermediate: 64, vocabulary: 300 }
const template = join(folder, "template.txt")
writeFileSync(template, "question: {query} context: {context} answer: {response}")
const small = {
  ...{ data, corpus, dev: data, generator: "tiny", tiny, template, k: 2, batchSize: 4, maxAnswer: 8, maxPrompt: 64 },
  ...{ answers: 2, threads: 1, epochs: 3, lr: 5e-3, dropout: 0.1 },
}

interface Ran {
  readonly report: RunReport
  readonly losses: readonly number[]
}

const run = async (out: string, more: object = {}, stopAt = Number.POSITIVE_INFINITY): Promise<Ran> => {
  const losses: number[] = []
  const settings = await Effect.runPromise(
    decodeTrainSettings(raltTrainApp, { ...small, out: join(folder, out), ...more }),
  )
  const report = await Effect.runPromise(
    trainRalt(settings, {
      runtime: layer({ threads: 1 }),
      observe: (event) => Effect.sync(() => void (event.event === "step" && losses.push(event.loss))),
      stopRequested: Effect.sync(() => losses.length >= stopAt),
    }),
  )
  return { report, losses }
}

const weightsIn = (out: string) =>
  readSafetensors(new Uint8Array(readFileSync(join(folder, out, "generator/model.safetensors")))).tensors

test("a reader is trained, measured in every variant, saved with its prompts, and evaluated", async () => {
  const { report, losses } = await run("reader")
  assert.ok(losses.at(-1)! < losses[0]! - 0.3, `losses ${losses}`)
  const { before, after: result } = report
  for (const name of ["closedBook", "random", "retrieved", "gold"]) {
    assert.ok(result![`${name}.nll`]! < before![`${name}.nll`]!, name)
  }
  assert.ok("retrieved.exactMatch" in result! && "closedBook.f1" in result)
  assert.equal(report.savedStep, 6)
  const saved = JSON.parse(readFileSync(join(folder, "reader/generator/rag.json"), "utf8"))
  assert.deepEqual(readRagPrompt(saved).maxPrompt, 64)
  const page = readFileSync(join(folder, "reader/report.html"), "utf8")
  assert.match(page, /retrieved\.nll/)
  assert.match(page, /Questions and what was answered/)
  const settings: EvaluateRaltSettings = {
    ...{ generator: join(folder, "reader"), data: [data], corpus, kEval: [1, 2], answers: 2, seed: 0 },
    ...{ device: "cpu", threads: 1 },
  }
  const figures = await Effect.runPromise(evaluateRalt(settings, { observe: () => Effect.void }))
  for (const [name, value] of Object.entries(figures.variants["retrieved"]!)) {
    assert.ok(
      Math.abs(value - result![`retrieved.${name}`]!) < 1e-4,
      `${name}: ${value}, ${result![`retrieved.${name}`]}`,
    )
  }
  assert.deepEqual(
    figures.sweep.map(({ k }) => k),
    [1, 2],
  )
})

test("adapters: frozen weights stay, a run that is stopped and goes on has the same losses, PEFT reads what is saved", async () => {
  const more = { lora: { generator: "4:8" }, saveAdapters: true, weights: "retriever", passTokens: 120 }
  const whole = await run("whole", more)
  assert.equal(whole.losses.length, 6)
  await assert.rejects(run("stopped", more, 2), { _tag: "TrainingInterrupted" })
  const rest = await run("stopped", { ...more, resume: true })
  assert.deepEqual(rest.losses, whole.losses.slice(2))
  assert.deepEqual(rest.report.after, whole.report.after)
  const [trained, untrained] = [weightsIn("whole"), weightsIn("reader")]
  const same = (name: string) => `${trained.get(name)?.data}` === `${weightsIn("stopped").get(name)?.data}`
  assert.ok([...untrained.keys()].every(same))
  const { modules } = await Effect.runPromise(loadPeftAdapter(join(folder, "whole/adapters/generator")))
  assert.equal(modules.size, 7)
  for (const { b } of modules.values()) assert.ok(b.data.some((value) => value !== 0))
})

for (const quantize of [4, 8] as const) {
  test(`adapters over frozen weights of ${quantize} bits: measured as they are, merged into floats, and exactly resumed`, async () => {
    const more = { lora: { generator: "8:16" }, saveAdapters: true, quantize, lr: 2e-2, epochs: 6, dropout: 0 }
    const name = `bits${quantize}`
    const whole = await run(name, more)
    assert.ok(whole.losses.at(-1)! < whole.losses[0]! - 0.3, `losses ${whole.losses}`)
    const { before, after: result } = whole.report
    assert.ok(result!["retrieved.nll"]! < before!["retrieved.nll"]! - 0.2)
    await assert.rejects(run(`${name}-stopped`, more, 4), { _tag: "TrainingInterrupted" })
    const rest = await run(`${name}-stopped`, { ...more, resume: true })
    assert.deepEqual(rest.losses, whole.losses.slice(4))
    assert.deepEqual(rest.report.after, result)
    const folderOf = join(folder, name, "generator")
    assert.equal(existsSync(join(folderOf, "onnx/model_q4.onnx")), quantize === 4)
    const settings: EvaluateRaltSettings = {
      ...{ generator: join(folder, name), data: [data], corpus, kEval: [2], answers: 2, seed: 0 },
      ...{ device: "cpu", threads: 1 },
    }
    // The saved floats hold the blocks' values and the adapters: what was measured while training, to rounding.
    const figures = await Effect.runPromise(evaluateRalt(settings, { observe: () => Effect.void }))
    const found = figures.variants["retrieved"]!["nll"]!
    assert.ok(Math.abs(found - result!["retrieved.nll"]!) < 1e-3, `${found}, ${result!["retrieved.nll"]}`)
    const { modules } = await Effect.runPromise(loadPeftAdapter(join(folder, name, "adapters/generator")))
    assert.equal(modules.size, 7)
    assert.ok(
      [...modules.keys()].every((module) => /^model\.layers\.0\.[a-z_.]+$/.test(module)),
      [...modules.keys()].join(),
    )
  })
}

test("what is frozen stays as it was to the last bit: by name, and beside adapters", async () => {
  const more = { generator: join(folder, "reader"), tiny: undefined, dev: [], answers: undefined, epochs: 1 }
  await run("frozen", { ...more, freeze: ["*mlp*", "*embed*"] })
  await run("adapted", { ...more, lora: "4:8:q_proj|v_proj" })
  const base = weightsIn("reader")
  const changed = (out: string) =>
    [...weightsIn(out)].flatMap(([name, value]) =>
      Buffer.compare(bytesOf(value), bytesOf(base.get(name)!)) === 0 ? [] : [name],
    )
  assert.deepEqual(changed("frozen").sort(), [...base.keys()].filter((name) => !/mlp|embed/.test(name)).sort())
  assert.deepEqual(changed("adapted").sort(), [...base.keys()].filter((name) => /(q|v)_proj/.test(name)).sort())
})

test("questions whose passages were found before give the same losses, with distractors and closed books", async () => {
  // Word pieces of a tiny model are made of the run's own texts; this one has some already.
  const reader = { generator: join(folder, "reader"), tiny: undefined }
  const more = {
    ...reader,
    passagesPerPrompt: 2,
    distractorShare: 0.5,
    closedBookShare: 0.2,
    reduction: "example",
    epochs: 2,
  }
  const live = await run("live", more)
  const file = join(folder, "prepared.jsonl")
  const counts = await Effect.runPromise(
    prepareRalt({ data: [data], corpus, k: 2, out: file, device: "cpu", threads: 1 }, { observe: () => Effect.void }),
  )
  assert.deepEqual([counts.questions, counts.goldFound], [8, 8])
  assert.equal(readFileSync(join(folder, "live/prepared/train.jsonl"), "utf8"), readFileSync(file, "utf8"))
  const { corpus: _, ...others } = small
  const settings = await Effect.runPromise(
    decodeTrainSettings(raltTrainApp, {
      ...others,
      ...more,
      data: file,
      dev: [],
      answers: undefined,
      out: join(folder, "ahead"),
    }),
  )
  const losses: number[] = []
  const observe = (event: { event: string; loss?: number }) =>
    Effect.sync(() => void (event.event === "step" && losses.push(event.loss ?? 0)))
  await Effect.runPromise(trainRalt(settings, { runtime: layer({ threads: 1 }), observe }))
  assert.deepEqual(losses, live.losses)
  assert.ok(!existsSync(join(folder, "ahead/prepared")))
})

test("a source of passages beside prepared questions, and questions without answers, are refused", async () => {
  const refused = async (more: object) => {
    const settings = await Effect.runPromise(
      decodeTrainSettings(raltTrainApp, { ...small, out: join(folder, "refused"), ...more }),
    )
    return Effect.runPromise(Effect.flip(trainRalt(settings, { observe: () => Effect.void })))
  }
  const prepared = join(folder, "live/prepared/train.jsonl")
  const idle = await refused({ data: prepared, dev: [], answers: undefined })
  assert.ok(idle instanceof SettingsError && idle.field === "corpus", String(idle))
  const silent = lines("silent.jsonl", [{ query: "who?", positives: ["house-1"] }])
  const unanswered = await refused({ data: silent })
  assert.ok(unanswered instanceof SettingsError && /no question has an answer/.test(unanswered.message))
})
