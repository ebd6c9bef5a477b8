// Small data sets that once trained on something else than they say, without a word. Needs $TANDEM_DATA/cases.
import assert from "node:assert/strict"
import { join } from "node:path"
import { test } from "node:test"
import { readCorpus, readExamples } from "@tandem/datasets/node/Files"
import { evaluateBm25 } from "@tandem/objectives"
import { Effect } from "effect"
import { assertError } from "../support/AssertError.ts"
import { at } from "../support/Cases.ts"
import { scratchFolder, succeed, tandem } from "../support/Tandem.ts"

const scratch = scratchFolder()

const tiny = [
  ...["--model", "tiny", "--tiny-hidden", "32", "--tiny-layers", "1", "--tiny-heads", "2"],
  ...["--tiny-intermediate", "64", "--tiny-vocabulary", "300", "--max-length", "32", "--lr", "1e-3", "--threads", "1"],
]

let runs = 0

/** The arguments of a run of a small random model on these files. */
const training = (data: string, ...flags: readonly string[]): readonly string[] => [
  ...["dpr", "train", ...tiny, "--out", join(scratch, `run-${runs++}`), "--data", at(data)],
  ...flags,
]

/** Such a run, which has to end well: its events, its losses and what it warned about. */
const trained = async (data: string, ...flags: readonly string[]) => {
  const args = training(data, ...flags)
  const events = await succeed(...args)
  const of = (name: string) => events.filter(({ event }) => event === name)
  return {
    run: args[args.indexOf("--out") + 1] ?? "",
    steps: of("step").map(({ loss, examples }) => ({ loss, examples })),
    warnings: of("warning").map(({ message }) => String(message)),
    done: events.at(-1),
  }
}

test("weight-ignored: weights decide how much a question counts", async () => {
  const corpus = ["--corpus", at("weight-ignored/corpus.jsonl"), "--batch-size", "5"]
  const weighted = await trained("weight-ignored/w.jsonl", ...corpus)
  const plain = await trained("weight-ignored/u.jsonl", ...corpus)
  assert.ok(Math.abs(plain.steps[0]?.loss - 1.5388) < 5e-4, `${plain.steps[0]?.loss}`)
  assert.ok(Math.abs(weighted.steps[0]?.loss - plain.steps[0]?.loss) > 1e-2, `${weighted.steps[0]?.loss}`)
})

test("batch-of-one: a question alone has nothing to learn from", async () => {
  const files = ["batch-of-one/train.jsonl", "--corpus", at("batch-of-one/corpus.jsonl")] as const
  const alone = await tandem([...training(...files, "--batch-size", "1"), "--json"])
  assertError(alone, { tag: "Settings", code: 2, field: "batchSize", hint: /batch-size/ })
  const { steps, warnings } = await trained(...files, "--batch-size", "4")
  assert.deepEqual(
    steps.map(({ examples }) => examples),
    [5],
  )
  assert.ok(steps.every(({ loss }) => loss > 0))
  assert.match(warnings.join(), /1 question would be alone/)
})

test("duptext: one text under two ids is one passage", async () => {
  const named = await trained("duptext/train.jsonl", "--corpus", at("duptext/corpus.jsonl"), "--batch-size", "2")
  const inline = await trained("duptext/inline.jsonl", "--batch-size", "2")
  assert.deepEqual([named.steps[0]?.loss, inline.steps[0]?.loss], [0, 0])
})

test("cjk: BM25, answers and mined negatives without spaces between words", async () => {
  const files = ["cjk/answers.jsonl", "--corpus", at("cjk/corpus.jsonl"), "--dev", at("cjk/answers.jsonl")] as const
  for (const negatives of ["data", "bm25"]) {
    const { done } = await trained(...files, "--batch-size", "4", "--negatives", negatives)
    assert.equal(done.report.baselines.bm25["recall@1"], 1)
    assert.equal(done.report.after["answerRecall@20"], 1)
  }
  await trained("cjk/zh.jsonl", "--corpus", at("cjk/zh-corpus.jsonl"), "--batch-size", "4", "--negatives", "bm25")
})

test("beir-selfid: a hit under the question's own id does not count", async () => {
  const data = await Effect.runPromise(readExamples(at("beir-selfid/queries.jsonl").replace("/queries.jsonl", "")))
  const { rankings, metrics } = evaluateBm25(data)
  const own = data.examples.findIndex(({ id }) => id === "p3")
  assert.deepEqual(rankings[own]?.map(({ id }) => id).slice(0, 2), ["p1", "p7"])
  assert.equal(metrics["mrr@10"], (0.5 + 1 + 0.5) / 3)
})

test("arguana-missing: one judgement about a missing passage is counted, and costs no more than its row", async () => {
  const folder = at("arguana-missing/queries.jsonl").replace("/queries.jsonl", "")
  const { run, steps, warnings } = await trained("arguana-missing/qrels/test.tsv", "--batch-size", "4")
  assert.deepEqual(
    steps.map(({ examples }) => examples),
    [4],
  )
  assert.match(warnings.join("\n"), /1 judgement is about passages that the corpus lacks.*d99/)
  const [metrics] = await succeed("dpr", "eval", "--run", run, "--data", folder)
  assert.equal(metrics.n, 5)
  assert.ok(metrics["recall@20"] <= 0.8)
})

test("tsv-quote: a quote that nothing closes swallows no row", async () => {
  const corpus = at("tsv-quote/corpus.tsv")
  const passages = await Effect.runPromise(readCorpus(corpus))
  assert.deepEqual([...passages.keys()], ["1", "2", "3", "4", "5", "6"])
  assert.equal(passages.get("3")?.text, '"Unclosed start of a quotation about mountains')
  assert.equal(passages.get("5")?.text, 'He said "yes" loudly in the hall')
  for (const data of ["tsv-quote/train.jsonl", "tsv-quote/train2.jsonl"]) {
    await trained(data, "--corpus", corpus, "--batch-size", "2")
  }
})
