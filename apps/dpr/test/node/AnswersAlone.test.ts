// Questions of which only the answers are known: DPR's TSV, and rows without positives.
import assert from "node:assert/strict"
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { test } from "node:test"
import { assertError, assertNothingWritten } from "../support/AssertError.ts"
import { fewExamples, fewPassages, writeLines, writeOwn } from "../support/FewExamples.ts"
import { golden, scratchFolder, succeed, tandem, trained } from "../support/Tandem.ts"

const scratch = scratchFolder()
const { data, corpus } = writeOwn(scratch)
const model = golden("sentence-transformers-tiny")
const write = (name: string, lines: readonly string[]): string => {
  writeFileSync(join(scratch, name), lines.map((line) => `${line}\n`).join(""))
  return join(scratch, name)
}
const pairs = write(
  "qa.tsv",
  fewExamples.map(({ query, answer }) => `${query}\t['${answer}', "no such answer"]`),
)
const passages = write("psgs.tsv", [
  "id\ttext\ttitle",
  ...fewPassages.map(({ id, text, title }) => [id, text, title].join("\t")),
])
const answerRecall = ["answerRecall@1", "answerRecall@5", "answerRecall@20"]

test("questions and answers are evaluated by answers, in DPR's passages", async () => {
  const args = ["dpr", "eval", "--model", model, "--data", pairs, "--corpus", passages, "--json"]
  const { code, stdout, stderr } = await tandem(args)
  assert.equal(code, 0, stderr)
  const metrics = JSON.parse(stdout)
  assert.deepEqual(Object.keys(metrics), ["n", ...answerRecall])
  assert.equal(metrics.n, 6)
  assert.match(stderr, /warning: the questions name no positive passage: they are measured by their answers/)
  // The words of the questions stand in the passages that hold the answers.
  const [words] = await succeed("dpr", "eval", "--bm25", "--data", pairs, "--corpus", passages)
  assert.deepEqual(words, { n: 6, "answerRecall@1": 1, "answerRecall@5": 1, "answerRecall@20": 1 })
})

test("a run chooses its weights by answer recall where its evaluation knows answers alone, and says so", async () => {
  const out = join(scratch, "run")
  const args = ["--data", data, "--dev", pairs, "--corpus", corpus, "--model", model, "--batch-size", "6"]
  const events = await trained(...args, "--epochs", "3", "--lr", "1e-3", "--patience", "2", "--out", out)
  const warnings = events.filter(({ event }) => event === "warning").map(({ message }) => message)
  assert.ok(
    warnings.includes(
      "evaluation: the questions name no positive passage: they are measured by their answers, answerRecall@5 decides",
    ),
    warnings.join("\n"),
  )
  const { after, before } = JSON.parse(readFileSync(join(out, "report.json"), "utf8"))
  for (const metrics of [after, before]) assert.deepEqual(Object.keys(metrics), ["n", ...answerRecall])
  const best = events.filter(({ event }) => event === "eval").map(({ metrics }) => metrics["answerRecall@5"])
  assert.equal(after["answerRecall@5"], Math.max(...best))
})

test("rows with positives and rows with answers alone are measured together, each by what it has", async () => {
  const mixed = writeLines(join(scratch, "mixed.jsonl"), [
    { query: fewExamples[0]?.query, positives: [fewExamples[0]?.positive.id] },
    { query: fewExamples[1]?.query, answers: [fewExamples[1]?.answer] },
    { query: "what is neither known nor answered?" },
  ])
  const { stdout, stderr } = await tandem(["dpr", "eval", "--bm25", "--data", mixed, "--corpus", corpus, "--json"])
  const metrics = JSON.parse(stdout)
  assert.deepEqual([metrics.n, metrics["recall@1"], metrics["answerRecall@1"]], [2, 1, 1])
  assert.match(stderr, /1 of 3 rows have neither a positive passage nor an answer/)
  assert.match(stderr, /1 of 2 questions name no positive passage: they count in answerRecall alone/)
})

test("answers alone are nothing to train on, and nothing to search", async () => {
  const out = join(scratch, "none")
  const train = ["dpr", "train", "--json", "--model", model, "--out", out]
  assertError(await tandem([...train, "--data", pairs, "--corpus", passages]), {
    tag: "NoExamples",
    code: 3,
    file: pairs,
    message: /none of 6 rows has a positive passage/,
    hint: /6 of them have answers, which serve an evaluation alone/,
  })
  assertNothingWritten(out)
  assertError(await tandem(["dpr", "eval", "--json", "--bm25", "--data", pairs]), {
    tag: "Settings",
    code: 2,
    file: pairs,
    field: "corpus",
    message: /no passages to search/,
  })
})
