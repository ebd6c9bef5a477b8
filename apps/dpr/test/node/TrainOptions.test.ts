import assert from "node:assert/strict"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { dprBatches } from "@tandem/objectives"
import { loadTowers, retrievalSettings } from "@tandem/objectives/node/LoadTowers"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { readSafetensors } from "@tandem/safetensors"
import { Effect, Schema } from "effect"
import { loadData } from "../../src/DprData.ts"
import { DprSettings } from "../../src/Settings.ts"
import { trainDpr } from "../../src/TrainDpr.ts"
import { fewExamples, writeLines, writeOwn } from "../support/FewExamples.ts"
import { golden, losses, scratchFolder, succeed, tandem, trained } from "../support/Tandem.ts"

const scratch = scratchFolder()
const { data, corpus } = writeOwn(scratch)
const model = golden("sentence-transformers-tiny")
const basics = ["--data", data, "--corpus", corpus, "--model", model, "--batch-size", "3"]

/** A run with these flags; its events, configuration and report. */
const train = async (name: string, ...flags: readonly string[]) => {
  const run = join(scratch, name)
  const events = await trained(...basics, "--out", run, ...flags)
  const read = (file: string) => JSON.parse(readFileSync(join(run, file), "utf8"))
  return { run, losses: losses(events), events, config: read("config.json"), report: read("report.json") }
}

/** The examples without negatives of their own. */
const plain = writeLines(
  join(scratch, "plain.jsonl"),
  fewExamples.map(({ id, query, positive, answer }) => ({ id, query, positives: [positive.id], answers: [answer] })),
)

for (const [negatives, file, hard] of [
  ["data", data, 1],
  ["data", plain, 0],
  ["same-document", plain, 1],
  ["bm25", plain, 1],
  ["none", data, 0],
] as const) {
  const own = file === data ? "with" : "without"
  test(`--negatives ${negatives} on data ${own} hard negatives: ${hard} for each question`, async () => {
    const settings = await Effect.runPromise(
      Schema.decodeUnknownEffect(DprSettings)({ data: [file], corpus, model, negatives, batchSize: 3, out: scratch }),
    )
    const shape = await Effect.gen(function* () {
      const { train: examples, hardNegatives, smallestBatch } = yield* loadData(settings)
      const towers = yield* loadTowers(settings, { seed: 0, dropout: "model", texts: () => [] })
      const retrieval = yield* retrievalSettings(settings, towers)
      const options = { data: examples, retrieval, seed: 0, batchSize: 3, hardNegatives, smallestBatch }
      return dprBatches(towers, options).at(0).shape
    }).pipe(Effect.scoped, Effect.provide(layer({ threads: 1 })), Effect.runPromise)
    assert.deepEqual([shape.queries, shape.passages], [3, 3 * (1 + hard)])
    const { config } = await train(`negatives-${negatives}-${own}`, "--data", file, "--negatives", negatives)
    assert.equal(config.settings.negatives, negatives)
  })
}

test("each flag of training does what it says", async () => {
  const usual = await train("usual", "--epochs", "2")
  assert.equal(usual.losses.length, 4)
  const dot = await train("dot", "--similarity", "dot", "--temperature", "1")
  assert.deepEqual([dot.config.retriever.similarity, dot.config.retriever.temperature], ["dot", 1])
  assert.notEqual(dot.losses[0], usual.losses[0])
  const symmetric = await train("symmetric", "--symmetric")
  assert.notEqual(symmetric.losses[0], usual.losses[0])
  const dropout = await train("dropout", "--dropout", "0.3")
  const none = await train("no-dropout", "--dropout", "0")
  assert.notEqual(dropout.losses[0], none.losses[0])

  const accumulated = await train("accumulated", "--accumulate", "2", "--epochs", "2")
  assert.equal(accumulated.losses.length, 2)
  assert.equal(accumulated.events.find(({ event }) => event === "step").examples, 6)

  const rates = async (name: string, ...flags: string[]): Promise<readonly number[]> =>
    (await train(name, "--epochs", "2", "--lr", "1e-3", "--warmup", "0", ...flags)).events
      .filter(({ event }) => event === "step")
      .map(({ lr }) => lr / 1e-3)
  const near = (found: readonly number[], expected: readonly number[]) =>
    assert.ok(
      found.length === expected.length && found.every((x, i) => Math.abs(x - expected[i]!) < 1e-9),
      `${found}, not ${expected}`,
    )
  near(await rates("linear"), [1, 0.75, 0.5, 0.25])
  near(
    await rates("cosine", "--schedule", "cosine", "--clip", "0"),
    [0, 1, 2, 3].map((i) => (1 + Math.cos((Math.PI * i) / 4)) / 2),
  )
  near(await rates("constant", "--schedule", "constant"), [1, 1, 1, 1])
})

test("what differs by part: rates, what trains, lengths; and another optimizer", async () => {
  const untied = ["--untied", "--epochs", "2", "--warmup", "0", "--dropout", "0"]
  const weightsOf = (run: string, folder: string) =>
    readSafetensors(new Uint8Array(readFileSync(join(run, folder, "model.safetensors")))).tensors
  const start = readSafetensors(new Uint8Array(readFileSync(join(model, "model.safetensors")))).tensors
  const movement = (run: string, folder: string): number =>
    [...weightsOf(run, folder)].reduce(
      (most, [name, { data }]) =>
        Math.max(
          most,
          ...Array.from(data, Number).map((value, at) => Math.abs(value - Number(start.get(name)?.data[at]))),
        ),
      0,
    )
  const both = await train("both", ...untied, "--lr", "1e-3")
  const slow = await train("slow", ...untied, "--lr", "1e-3", "--lr", "passage=1e-5")
  assert.deepEqual(slow.config.settings.lr, { all: 1e-3, passage: 1e-5 })
  assert.equal(slow.losses[0], both.losses[0])
  assert.ok(movement(slow.run, "passage-retriever") < movement(both.run, "passage-retriever") / 30)
  assert.ok(movement(slow.run, "retriever") > movement(both.run, "retriever") / 3)
  const rows = readFileSync(join(both.run, "metrics.jsonl"), "utf8").trim().split("\n")
  for (const row of rows.map((line) => JSON.parse(line)).filter(({ loss }) => loss !== undefined))
    assert.ok(Math.abs(Math.hypot(row["gradNorm/query"], row["gradNorm/passage"]) / row.gradNorm - 1) < 1e-6)

  const one = await train("one", ...untied, "--lr", "1e-3", "--train", "query")
  assert.equal(movement(one.run, "passage-retriever"), 0)
  assert.ok(movement(one.run, "retriever") > 1e-4)
  const frozen = await train("frozen", ...untied, "--lr", "1e-3", "--freeze", "passage")
  assert.deepEqual(frozen.losses, one.losses)

  const lion = await train("lion", ...untied, "--lr", "1e-4", "--optimizer", "lion")
  assert.equal(lion.losses[0], both.losses[0])
  assert.ok(Math.abs(movement(lion.run, "retriever") / (1e-4 * (1 + 0.75 + 0.5 + 0.25)) - 1) < 0.05)

  const lengths = await train("lengths", ...untied, "--max-length", "query=6,passage=20", "--no-index")
  assert.deepEqual(lengths.config.retriever.maxLength, { query: 6, passage: 20 })
  assert.notEqual(lengths.losses[0], both.losses[0])
  assert.ok(existsSync(join(lengths.run, "retriever")) && !existsSync(join(lengths.run, "store")))
})

test("a program gives the runtime itself, whatever threads the settings name", async () => {
  const out = join(scratch, "given-runtime")
  const settings = Schema.decodeUnknownSync(DprSettings)({ data: [data], corpus, model, batchSize: 3, out, threads: 2 })
  await Effect.runPromise(trainDpr(settings, { observe: () => Effect.void, runtime: layer({ threads: 1 }) }))
  const { device } = JSON.parse(readFileSync(join(out, "config.json"), "utf8"))
  assert.deepEqual(device, { provider: "cpu", threads: 1 })
})

test("--config gives settings, and flags override them", async () => {
  const file = join(scratch, "settings.yaml")
  writeFileSync(
    file,
    [
      `data: ${data}`,
      `corpus: ${corpus}`,
      `model: ${model}`,
      "batch-size: 3",
      "lr: 0.001",
      "epochs: 3",
      `out: ${join(scratch, "configured")}`,
    ].join("\n"),
  )
  const events = await succeed("dpr", "train", "--config", file, "--epochs", "1", "--threads", "1")
  assert.equal(losses(events).length, 2)
  const { settings } = JSON.parse(readFileSync(join(scratch, "configured/config.json"), "utf8"))
  assert.deepEqual([settings.lr, settings.batchSize, settings.epochs], [1e-3, 3, 1])

  writeFileSync(file, "batch-sise: 3\n")
  const wrong = await tandem(["dpr", "train", "--config", file, ...basics, "--out", join(scratch, "wrong"), "--json"])
  assert.equal(wrong.code, 2)
  const { error } = JSON.parse(wrong.stdout)
  assert.deepEqual([error.tag, error.file, error.field], ["UnknownFlag", file, "batch-sise"])
  assert.ok(!existsSync(join(scratch, "wrong")))
})

test("without --json results are for people, and progress goes to standard error", async () => {
  const run = join(scratch, "people")
  const ended = await tandem(["dpr", "train", ...basics, "--dev", data, "--out", run, "--threads", "1"])
  assert.equal(ended.code, 0, ended.stderr)
  for (const line of [/BM25/i, /recall@1/, /report\.html/]) assert.match(ended.stdout, line)
  assert.match(ended.stderr, /step 2\/2/)
  const quiet = await tandem(["dpr", "search", "--run", run, "--quiet", "Where is the tower?"])
  assert.equal(quiet.stderr, "")
  assert.match(quiet.stdout, /^1\. {2}\d\.\d{3} {2}\w+-[12] /)
})
