// Conversations, texts in segments and instruction sets with templates and rates, as data of `tandem ralt train`.
import assert from "node:assert/strict"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { evaluateRaltTexts, evaluationKind, trainRalt } from "@tandem/dual"
import { raltTrainApp } from "@tandem/dual/TrainApp"
import { decodeTrainSettings, SettingsError } from "@tandem/runs"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"

const folder = mkdtempSync(join(tmpdir(), "tandem-instructions-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const lines = (name: string, rows: readonly unknown[]): string => {
  const file = join(folder, name)
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
  return file
}
const things = ["house", "boat", "garden", "mill"]
const chat = lines(
  "chat.jsonl",
  things.map((thing, index) => ({
    messages: [
      { role: "user", content: `who owns the ${thing}?` },
      { role: "assistant", content: `owner ${index}` },
    ],
    ...(index === 0 ? { weight: 2 } : {}),
  })),
)
const segments = lines(
  "segments.jsonl",
  things.map((thing) => ({
    segments: [
      { label: false, text: `the ${thing} is` },
      { label: true, text: " old[SEP]" },
    ],
  })),
)
lines(
  "alpaca.jsonl",
  things.map((thing) => ({ instruction: "name a thing", input: thing, output: `the ${thing}` })),
)
const sets = join(folder, "sets.json")
const write = (content: object): string => {
  writeFileSync(sets, JSON.stringify(content))
  return sets
}
const alpaca = { files: "alpaca.jsonl", template: { query: "{instruction} {input}", response: "{output}" } }
const mixed = {
  sets: [
    { ...alpaca, rate: 3 },
    { files: "chat.jsonl", rate: 1, passages: true },
  ],
  count: 40,
}
const questions = lines(
  "questions.jsonl",
  things.map((thing, index) => ({ id: `q${index}`, query: `who owns the ${thing}?`, answers: [`owner ${index}`] })),
)
const corpus = lines(
  "corpus.jsonl",
  things.map((thing, index) => ({ id: thing, text: `The ${thing} belongs to owner ${index}.` })),
)

const settings = {
  ...{ generator: "tiny", tiny: { hidden: 32, layers: 1, heads: 2, intermediate: 64, vocabulary: 200 }, k: 2 },
  ...{ batchSize: 4, maxAnswer: 16, maxPrompt: 80, threads: 1, epochs: 3, lr: 5e-3, dropout: 0.1 },
}
const run = async (out: string, more: object, stopAt = Number.POSITIVE_INFINITY) => {
  const losses: number[] = []
  const decoded = await Effect.runPromise(
    decodeTrainSettings(raltTrainApp, { ...settings, out: join(folder, out), ...more }),
  )
  const report = await Effect.runPromise(
    trainRalt(decoded, {
      runtime: layer({ threads: 1 }),
      observe: (event) => Effect.sync(() => void (event.event === "step" && losses.push(event.loss))),
      stopRequested: Effect.sync(() => losses.length >= stopAt),
    }),
  )
  const config = JSON.parse(readFileSync(join(folder, out, "config.json"), "utf8"))
  return { losses, config, report }
}
const refused = async (more: object) => {
  const decoded = await Effect.runPromise(
    decodeTrainSettings(raltTrainApp, { ...settings, out: join(folder, "refused"), ...more }),
  )
  return Effect.runPromise(Effect.flip(trainRalt(decoded, { observe: () => Effect.void })))
}

test("conversations and segments alone are learned, and a run of them goes on exactly", async () => {
  const data = { data: [chat, segments] }
  const { losses, config } = await run("alone", data)
  assert.equal(losses.length, 6)
  assert.ok(losses.at(-1)! < losses[0]! - 0.3, losses.join())
  assert.deepEqual(config.statistics.instructions, {
    texts: 8,
    sets: { "chat.jsonl, segments.jsonl": { examples: 8, drawn: 8 } },
  })
  await assert.rejects(run("stopped", data, 3), { _tag: "TrainingInterrupted" })
  const rest = await run("stopped", { ...data, resume: true })
  assert.deepEqual(rest.losses, losses.slice(3))
})

test("instruction sets are drawn by their rates beside questions; those that ask for passages get them", async () => {
  const { losses, config } = await run("sets", {
    ...{ data: [questions, write(mixed)], dev: questions, corpus, answers: 0, epochs: 1 },
  })
  assert.equal(losses.length, 11)
  const { statistics, data } = config
  const { alpaca: first, chat: second } = statistics.instructions.sets
  assert.equal(first.drawn + second.drawn, 40)
  assert.ok(first.drawn > 22 && first.drawn < 38, `${first.drawn}`)
  assert.equal(statistics.instructions.texts, first.drawn)
  assert.equal(statistics.train.questions, 4 + second.drawn)
  assert.equal(statistics.train.withoutPassages, 0)
  assert.ok(JSON.stringify(config).includes("alpaca.jsonl"), JSON.stringify(data))
})

test("sets that nobody can draw from, and sources of passages that nothing is shown, are refused", async () => {
  for (const content of [
    { sets: [] },
    { sets: [{ files: "alpaca.jsonl", rte: 1 }] },
    { sets: [alpaca, alpaca] },
    { sets: [{ ...alpaca, template: { query: "{instruction", response: "{output}" } }] },
  ]) {
    const error = await refused({ data: [write(content)] })
    assert.ok(error instanceof SettingsError && error.field === "data" && error.file === sets, String(error))
  }
  const unknown = await refused({
    data: [write({ sets: [{ ...alpaca, template: { query: "{a}", response: "{b}" } }] })],
  })
  assert.equal(unknown._tag, "InvalidRow")
  const odd = lines("odd.txt", [["no", "format"]])
  assert.equal((await refused({ data: [odd] }))._tag, "UnknownFormat")
  assert.notEqual((await refused({ data: [odd], format: "jsonl" }))._tag, "UnknownFormat")
  const idle = await refused({ data: [chat], corpus })
  assert.ok(idle instanceof SettingsError && idle.field === "corpus", String(idle))
  const turns = lines("turns.jsonl", [
    { messages: ["user", "assistant", "user", "assistant"].map((role) => ({ role, content: "the boat" })) },
  ])
  const several = await refused({ data: [write({ sets: [{ files: turns, passages: true }] })], corpus })
  assert.ok(several instanceof SettingsError && /more than a question/.test(several.message), String(several))
})

const told = (failed: (at: number) => boolean | undefined) =>
  things.map((thing, at) => ({
    id: `row ${at}`,
    segments: [
      { label: false, text: `the ${thing} is` },
      { label: true, text: failed(at) === true ? " not known[SEP]" : " old[SEP]" },
    ],
    ...(failed(at) === undefined ? {} : { metadata: { failed: failed(at) } }),
  }))

test("held-out rows are measured, also by whether retrieval had failed, in training and of its result", async () => {
  const rows = lines(
    "held.jsonl",
    told((at) => at === 3),
  )
  const { losses, report, config } = await run("held", { data: [segments], dev: rows, epochs: 6 })
  const { before, after: result, intervals, differences } = report
  assert.deepEqual(Object.keys(result!), ["n", "nll", "success.nll", "failed.nll"])
  assert.ok(result!["success.nll"]! < before!["success.nll"]!, JSON.stringify({ before, result }))
  assert.deepEqual(Object.keys(intervals!), ["nll", "success.nll", "failed.nll"])
  assert.ok(differences!["before"]!["success.nll"]!.high < 0)
  assert.deepEqual(config.statistics.dev, { texts: 4, success: 3, failed: 1 })
  const page = readFileSync(join(folder, "held/report.html"), "utf8")
  assert.match(page, /Rows by their context/)
  assert.match(page, /rows whose retrieval failed/)

  const settings = { generator: join(folder, "held"), data: [rows], seed: 0, device: "cpu", threads: 1 } as const
  const observe = { observe: () => Effect.void }
  const figures = await Effect.runPromise(evaluateRaltTexts(settings, observe))
  assert.deepEqual([figures.n, figures.success?.n, figures.failed?.n], [4, 3, 1])
  for (const [name, { estimate, low, high }] of Object.entries(figures.intervals)) {
    assert.ok(Math.abs(estimate - result![name]!) < 1e-4, `${name}: ${estimate}, ${result![name]}`)
    assert.ok(low <= estimate && estimate <= high, name)
  }
  const idle = await Effect.runPromise(Effect.flip(evaluateRaltTexts({ ...settings, without: "closed" }, observe)))
  assert.ok(idle instanceof SettingsError && idle.field === "without", String(idle))

  // What is measured has no part in what is learned.
  const silent = await run("silent", {
    data: [segments],
    dev: lines(
      "silent.jsonl",
      told(() => undefined),
    ),
    epochs: 6,
  })
  assert.deepEqual(silent.losses, losses)
  assert.deepEqual(Object.keys(silent.report.after!), ["n", "nll"])
  assert.ok(!readFileSync(join(folder, "silent/report.html"), "utf8").includes("Rows by their context"))
})

test("questions beside texts, and passages that no text is shown, are refused in measuring", async () => {
  const both = await refused({ data: [chat], dev: [questions, segments] })
  assert.ok(both instanceof SettingsError && both.field === "dev", String(both))
  const idle = await refused({ data: [chat], dev: segments, corpus })
  assert.ok(idle instanceof SettingsError && idle.field === "corpus", String(idle))
  const unasked = await refused({ data: [chat], dev: segments, kEval: 2 })
  assert.ok(unasked instanceof SettingsError && unasked.field === "kEval", String(unasked))
  const kinds = [[questions], [segments, chat]].map((files) =>
    Effect.runPromise(evaluationKind(files, "data", undefined)),
  )
  assert.deepEqual(await Promise.all(kinds), ["questions", "texts"])
})
