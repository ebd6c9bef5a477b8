// A retriever and a generator trained together, from files to a folder that is searched and asked.
import assert from "node:assert/strict"
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { readRagPrompt } from "@tandem/generator"
import { askJoint, evaluateJoint, trainJoint } from "@tandem/joint"
import { jointTrainApp } from "@tandem/joint/TrainApp"
import { openSearch } from "@tandem/objectives/node/OpenSearch"
import { decodeTrainSettings, type RunEvent, type RunReport, SettingsError } from "@tandem/runs"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { readSafetensors } from "@tandem/safetensors"
import { Exact, StoreMismatchError } from "@tandem/store"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect } from "effect"
import { lines, smallRun, smallWorld } from "../support/SmallWorld.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-joint-"))
after(() => rmSync(folder, { recursive: true, force: true }))
const world = smallWorld(folder)
const lr = { query: 2e-3, generator: 5e-3 }
const runtime = layer({ threads: 1 })

interface Ran {
  readonly report: RunReport
  readonly losses: readonly number[]
  readonly warnings: readonly string[]
}

const effectOf = async (out: string, more: object, observe: (event: RunEvent) => void = () => {}) => {
  const settings = await Effect.runPromise(
    decodeTrainSettings(jointTrainApp, { ...smallRun(world), lr, out: join(folder, out), epochs: 3, ...more }),
  )
  return trainJoint(settings, { runtime, observe: (event) => Effect.sync(() => observe(event)) })
}

const run = async (out: string, more: object = {}): Promise<Ran> => {
  const losses: number[] = []
  const warnings: string[] = []
  const training = await effectOf(out, more, (event) => {
    if (event.event === "step") losses.push(event.loss)
    if (event.event === "warning") warnings.push(event.message)
  })
  return { report: await Effect.runPromise(training), losses, warnings }
}

const refused = async (out: string, more: object): Promise<unknown> =>
  Effect.runPromise(Effect.flip(await effectOf(out, more)))

const weightsIn = (out: string, part: string) =>
  readSafetensors(new Uint8Array(readFileSync(join(folder, out, part, "model.safetensors")))).tensors

test("both are trained, measured and saved, and the run is searched as a retriever's is", async () => {
  const { report, losses } = await run("whole")
  assert.ok(losses.at(-1)! < losses[0]! - 0.3, `losses ${losses}`)
  const { before, after: result } = report
  for (const name of ["retrieved", "gold", "closedBook"])
    assert.ok(result![`${name}.nll`]! < before![`${name}.nll`]!, name)
  for (const name of ["retrieved.exactMatch", "recall@1", "answerRecall@1", "distinct"])
    assert.ok(name in result!, name)
  const saved = JSON.parse(readFileSync(join(folder, "whole/generator/rag.json"), "utf8"))
  assert.equal(readRagPrompt(saved).maxPrompt, 64)
  assert.match(readFileSync(join(folder, "whole/report.html"), "utf8"), /retrieved\.nll/)
  const found = await Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const search = yield* openSearch({ run: join(folder, "whole") }, { observe: () => Effect.void })
        return yield* search(["who owns the mill?"], 3)
      }),
    ).pipe(Effect.provide(runtime)),
  )
  assert.equal(found[0]?.length, 3)
})

test("a run is asked and measured: answers with their sources, against all that its index holds", async () => {
  const searched = { run: join(folder, "whole"), device: "cpu", threads: 1 } as const
  const quiet = { observe: () => Effect.void }
  const questions = ["who owns the mill?", "who owns the boat?"]
  for (const decoding of [undefined, { kind: "token" }, { kind: "draw" }] as const) {
    const asked = { ...searched, questions, k: 3, ...(decoding === undefined ? {} : { decoding }) }
    for (const { sources, tokens, confidence } of await Effect.runPromise(askJoint(asked, quiet))) {
      assert.equal(sources.length, 3)
      for (const shares of [sources.map(({ prior }) => prior), ...tokens.map(({ weights }) => weights)])
        assert.ok(Math.abs(shares.reduce((sum, share) => sum + share, 0) - 1) < 1e-6)
      assert.ok(Math.abs(confidence.logprob - tokens.reduce((sum, { logprob }) => sum + logprob, 0)) < 1e-4)
    }
  }
  // Answers alone: what was found is known from the index.
  const data = lines(folder, "answers.jsonl", [
    { query: "who owns the mill?", answers: ["the"] },
    { query: "who owns the boat?", answers: ["the"] },
  ])
  const figures = await Effect.runPromise(
    evaluateJoint({ ...searched, data: [data], kEval: 2, answers: 2, seed: 0 }, quiet),
  )
  assert.equal(figures.n, 2)
  assert.equal(figures.retrieval["answerRecall@1"], 1)
  assert.ok("nll" in figures.variants["retrieved"]! && "exactMatch" in figures.variants["closedBook"]!)
})

test("a run of another kind is no run to ask", async () => {
  const other = join(folder, "of-retrieval")
  mkdirSync(join(other, "retriever"), { recursive: true })
  writeFileSync(join(other, "config.json"), JSON.stringify({ format: 1, command: "dpr train" }))
  const asking = askJoint({ run: other, questions: ["?"], device: "cpu", threads: 1 }, { observe: () => Effect.void })
  await assert.rejects(Effect.runPromise(asking), { _tag: "InvalidRun", found: "dpr train" })
})

test("what is frozen stays as it was bit for bit, and what trains does not", async () => {
  const start = { model: undefined, generator: undefined, tiny: undefined }
  const { report } = await run("further", {
    ...start,
    retriever: join(folder, "whole"),
    generator: join(folder, "whole"),
    loss: "rag-token",
    epochs: 1,
  })
  assert.equal(report.steps, 4)
  const same = (part: string): boolean => {
    const [first, second] = [weightsIn("whole", part), weightsIn("further", part)]
    assert.deepEqual([...first.keys()], [...second.keys()])
    return [...first].every(([name, { data }]) => `${data}` === `${second.get(name)?.data}`)
  }
  assert.ok(same("passage-retriever"))
  assert.ok(!same("retriever") && !same("generator"))
})

test("labels teach the retriever where a weight is given to them; data without any are refused", async () => {
  const labels = lines(
    folder,
    "labels.jsonl",
    ["mill", "boat", "barn", "well"].flatMap((thing, index) => [
      { query: `who owns the ${thing}?`, answers: ["the"], ...(index === 3 ? {} : { positives: [`${thing}-1`] }) },
      { query: `whose is the ${thing}?`, answers: ["the"], ...(index === 3 ? {} : { positives: [`${thing}-1`] }) },
    ]),
  )
  // The generator stays as it was, so that the answers' share of the loss hardly moves.
  const labelled = { data: labels, retrievalLossWeight: 1, train: "query", lr: { query: 1e-2 }, epochs: 12 }
  const { warnings } = await run("labelled", labelled)
  assert.ok(warnings.includes("2 of 8 questions have no labels, and learn from answers alone"), String(warnings))
  const rows = readFileSync(join(folder, "labelled/metrics.jsonl"), "utf8").trim().split("\n")
  const found = rows.flatMap((row) => JSON.parse(row).retrievalLoss ?? [])
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  assert.ok(mean(found.slice(-4)) < 0.7 * mean(found.slice(0, 4)), String(found))
  const without = await refused("unlabelled", { retrievalLossWeight: 1 })
  assert.ok(without instanceof SettingsError && without.field === "retrievalLossWeight")
  const renewed = { data: labels, retrievalLossWeight: 1, loss: "rag-token", renewEvery: 1 }
  await assert.rejects(run("renewed-labels", renewed), { _tag: "Settings", field: "retrievalLossWeight" })
})

test("fewer passages than `k` are a warning, and questions are asked with those", async () => {
  const corpus = lines(folder, "one.jsonl", [{ id: "house-1", text: "The house belongs to anna." }])
  const dev = lines(folder, "one-dev.jsonl", [
    { id: "d", query: "the house is whose?", answers: ["anna"], positives: ["house-1"] },
  ])
  const { losses, warnings, report } = await run("one", { corpus, dev, epochs: 1 })
  assert.ok(losses.every(Number.isFinite) && report.after?.["recall@1"] === 1)
  assert.ok(
    warnings.some((message) => /there are 1 passages, fewer than `k` 2/.test(message)),
    String(warnings),
  )
})

test("answers without a token and questions beyond the prompt are left out; where none is left nothing is trained", async () => {
  const row = (id: string, query: string, answer: string) => ({ id, query, answers: [answer] })
  const good = row("a", "who owns the house?", "anna")
  const some = lines(folder, "some.jsonl", [good, row("b", "who owns the boat?", "\u0007")])
  const { warnings, losses } = await run("some", { data: some, dev: [], answers: undefined, epochs: 1 })
  assert.equal(losses.length, 1)
  assert.ok(
    warnings.some((message) => /1 of 2 questions of `data` were left out: no token is left of an answer/.test(message)),
    String(warnings),
  )
  const silent = lines(folder, "silent.jsonl", [row("b", "who owns the boat?", "\u0007")])
  const unanswered = await refused("silent", { data: silent, dev: [], answers: undefined })
  assert.match(String(unanswered), /InvalidPrompt.*no token is left of an answer/s)
  const short = await refused("short", { maxPrompt: 4 })
  assert.match(String(short), /InvalidPrompt/)
  assert.ok(!existsSync(join(folder, "short/config.json")))
})

test("an index without passages, and one of another encoder, are refused", async () => {
  const named = { dev: [], answers: undefined, corpus: undefined }
  const start = {
    model: undefined,
    tiny: undefined,
    retriever: join(folder, "whole"),
    generator: join(folder, "whole"),
  }
  const { identity } = await Effect.runPromise(
    Effect.flatMap(Exact.open(nodeFolder(join(folder, "whole/store"))), ({ contents }) => contents),
  )
  const empty = join(folder, "empty")
  await Effect.runPromise(Effect.flatMap(Exact.make(identity), (store) => store.snapshot(nodeFolder(empty))))
  const nothing = await refused("nothing", { ...named, ...start, store: empty })
  assert.ok(nothing instanceof SettingsError && nothing.field === "store", String(nothing))
  const other = await refused("other", { ...named, store: join(folder, "whole/store") })
  assert.ok(other instanceof StoreMismatchError, String(other))
})
