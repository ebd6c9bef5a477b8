// A run's folder that is opened and asked, as a service and with promises.
import assert from "node:assert/strict"
import { getEventListeners } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { type AskEvent, Rag, type RagClient } from "@tandem/rag"
import { layerRun, openRag } from "@tandem/rag/node/OpenRag"
import { Effect } from "effect"
import { questions, smallRun } from "../support/SmallRun.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-rag-"))
const threads = 1
let rag: RagClient
before(async () => {
  rag = await openRag(await smallRun(join(folder, "joint")), { threads })
})
after(async () => {
  await rag?.close()
  rmSync(folder, { recursive: true, force: true })
})

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const near = (found: number, expected: number, what: string) =>
  assert.ok(Math.abs(found - expected) < 1e-4, `${what}: ${found}, expected ${expected}`)

test("a run tells what it is made of", () => {
  const { name, k, encoder, knowledge, generator } = rag.facts
  assert.equal(name, "joint")
  assert.equal(k, 3)
  assert.deepEqual(knowledge, { name: "joint", passages: 16 })
  assert.equal(encoder?.dimension, 32)
  assert.deepEqual(generator?.decoding, { kind: "token" })
  assert.equal(generator?.maxAnswer, 8)
})

test("passages are found, best first, and their shares sum to 1", async () => {
  const sources = await rag.retrieve("who owns the mill?", { k: 4 })
  assert.equal(sources.length, 4)
  assert.ok(sources.every(({ score }, place) => place === 0 || score <= sources[place - 1]!.score))
  near(sum(sources.map(({ weight }) => weight)), 1, "weights")
  assert.equal((await rag.retrieve("who owns the mill?")).length, 3)
})

test("an embedded passage is the one in the index: its own best hit, with a score of 1", async () => {
  const [best] = await rag.retrieve("The mill belongs to dan.", { k: 1 })
  assert.equal(best?.text, "The mill belongs to dan.")
  const [vector] = await rag.embed(["The mill belongs to dan."], { as: "passage" })
  near(sum([...vector!].map((value) => value * value)), 1, "length")
})

test("an answer has its confidence, its sources and what each contributes to every token", async () => {
  for (const decoding of [undefined, { kind: "sequence" }, { kind: "together" }, { kind: "draw" }] as const) {
    const answer = await rag.ask(questions[0]!, decoding === undefined ? {} : { decoding })
    near(sum(answer.tokens.map(({ logprob }) => logprob)), answer.confidence.logprob, "confidence")
    for (const shares of [
      answer.sources.map(({ prior }) => prior),
      answer.sources.map(({ weight }) => weight),
      ...answer.tokens.map(({ weights }) => weights),
    ]) {
      assert.equal(shares.length, 3)
      near(sum(shares), 1, "shares")
    }
    assert.ok(answer.promptTokens > 20)
  }
})

test("an answer is streamed as it is written, and is the same one", async () => {
  for (const decoding of [undefined, { kind: "sequence" }, { kind: "together" }] as const) {
    const options = decoding === undefined ? {} : { decoding }
    const events: AskEvent[] = []
    for await (const event of rag.askStream(questions[1]!, options)) events.push(event)
    const whole = await rag.ask(questions[1]!, options)
    assert.deepEqual(
      events.map(({ type }) => type),
      ["sources", ...whole.tokens.map(() => "token"), "done"],
    )
    const last = events.at(-1)
    assert.ok(last?.type === "done")
    assert.equal(last.answer.answer, whole.answer)
    near(last.answer.confidence.logprob, whole.confidence.logprob, "confidence")
  }
})

test("questions that come together get the answers that each gets alone", async () => {
  const alone: string[] = []
  for (const question of questions) alone.push((await rag.ask(question)).answer)
  const together = await Promise.all(questions.map((question) => rag.ask(question)))
  assert.deepEqual(
    together.map(({ answer }) => answer),
    alone,
  )
  const batch = await rag.askBatch(questions)
  assert.deepEqual(
    batch.map(({ answer }) => answer),
    alone,
  )
})

test("a request that makes no sense is refused with its field, beside others that are answered", async () => {
  const good = rag.ask(questions[0]!)
  await assert.rejects(rag.ask("  "), { _tag: "InvalidAsk", field: "question" })
  await assert.rejects(rag.retrieve("who?", { k: 0 }), { _tag: "InvalidAsk", field: "k" })
  await assert.rejects(rag.ask("who?", { maxTokens: 0.5 }), { _tag: "InvalidAsk", field: "maxTokens" })
  await assert.rejects(rag.ask(`who ${"owns ".repeat(300)}?`), { _tag: "InvalidPrompt" })
  assert.ok((await good).tokens.length > 0)
})

test("a call that is cancelled rejects with its reason, and those beside it go on", async () => {
  const control = new AbortController()
  const others = Promise.all(questions.map((question) => rag.ask(question)))
  const cancelled = rag.ask(questions[0]!, { signal: control.signal })
  control.abort(new Error("went away"))
  await assert.rejects(cancelled, /went away/)
  assert.equal((await others).length, questions.length)
  for await (const _ of rag.askStream(questions[0]!)) break
  assert.ok((await rag.ask(questions[0]!)).answer.length >= 0)
  const streamed = new AbortController()
  await assert.rejects(async () => {
    for await (const _ of rag.askStream(questions[0]!, { signal: streamed.signal })) streamed.abort(new Error("enough"))
  }, /enough/)
})

test("texts are counted before they are embedded, and a signal that lives on holds nothing of calls that have ended", async () => {
  const { signal } = new AbortController()
  const { counts, embed } = await rag.tokenize(questions, { as: "query", signal })
  assert.equal(counts.length, questions.length)
  for (const count of counts) assert.ok(Number.isInteger(count) && count > 2, `${count}`)
  assert.deepEqual(await embed(), await rag.embed(questions, { as: "query", signal }))
  await rag.ask(questions[0]!, { signal })
  for await (const _ of rag.askStream(questions[0]!, { signal }));
  for await (const _ of rag.askStream(questions[0]!, { signal })) break
  assert.deepEqual(getEventListeners(signal, "abort"), [])
})

test("a system that is closed cancels what is under way, and what is asked for later", async () => {
  const alone = await openRag(join(folder, "joint"), { threads })
  const asked = Promise.allSettled([
    alone.ask(questions[0]!),
    (async () => {
      for await (const _ of alone.askStream(questions[1]!));
    })(),
  ])
  await alone.close()
  for (const result of await asked) assert.match(String(result.status === "rejected" && result.reason), /was closed/)
  await assert.rejects(alone.embed(["late"], { as: "query" }), /was closed/)
})

test("a retriever alone finds and embeds, and says that it cannot answer", async () => {
  const run = await smallRun(join(folder, "dpr"), { retrieverAlone: true })
  await using alone = await openRag(run, { threads })
  assert.equal(alone.facts.generator, undefined)
  assert.equal((await alone.retrieve("who owns the mill?")).length, 5)
  await assert.rejects(alone.ask("who owns the mill?"), { _tag: "InvalidAsk", field: "model" })
})

test("the same run is a service", async () => {
  const program = Effect.gen(function* () {
    const system = yield* Rag
    return yield* system.ask(questions[2]!)
  })
  const found = await Effect.runPromise(Effect.provide(program, layerRun(join(folder, "joint"), { threads })))
  assert.equal(found.answer, (await rag.ask(questions[2]!)).answer)
})

test("a run that searches again as its answers grow names all passages, streamed or not", async () => {
  await using renewing = await openRag(await smallRun(join(folder, "renewed"), { renewEvery: 2 }), { threads })
  const answer = await renewing.ask(questions[4]!)
  assert.ok(answer.promptTokens > 20)
  // What the first retrieval found, that of the question alone, has that retrieval's scores.
  const first = await renewing.retrieve(questions[4]!, { k: renewing.facts.k })
  for (const [place, { id, score, weight }] of first.entries()) {
    const source = answer.sources[place]!
    assert.equal(source.id, id)
    near(source.score, score, "score")
    near(source.prior, weight, "prior")
  }
  for (const { weights } of answer.tokens) {
    assert.equal(weights.length, answer.sources.length)
    near(sum(weights), 1, "weights")
  }
  const events: AskEvent[] = []
  for await (const event of renewing.askStream(questions[4]!)) events.push(event)
  const last = events.at(-1)
  assert.ok(last?.type === "done")
  assert.equal(last.answer.answer, answer.answer)
})

test("rounds of a retriever and a reader are the last of each", async () => {
  const rounds = join(folder, "dual")
  const retriever = await smallRun(join(rounds, "round-1-retriever"), { retrieverAlone: true })
  await smallRun(join(rounds, "round-2-reader"))
  const rows = [
    { round: 1, trained: "retriever", metrics: {} },
    { round: 2, trained: "reader", metrics: {} },
  ]
  writeFileSync(
    join(rounds, "report.json"),
    JSON.stringify({ format: 1, command: "dual train", status: "completed", rows }),
  )
  await using dual = await openRag(rounds, { threads })
  assert.equal(dual.facts.encoder?.model, "round-1-retriever")
  assert.equal(dual.facts.generator?.model, "round-2-reader")
  await using beside = await openRag(join(rounds, "round-2-reader"), { retriever, threads })
  assert.equal((await dual.ask(questions[5]!)).answer, (await beside.ask(questions[5]!)).answer)
})
