// tandem ralt as people run it: passages by a trained retriever, a reader trained on them, what the data need.
import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { after, test } from "node:test"
import { makeFolder, tandem } from "./support/Tandem.ts"

const folder = makeFolder()
after(folder.remove)

const owners = ["anna", "ben", "cleo", "dan"]
const things = ["house", "boat", "garden", "mill"]
const write = (name: string, rows: readonly unknown[]): void =>
  writeFileSync(join(folder.path, name), rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
write(
  "train.jsonl",
  things.map((thing, at) => ({ query: `who owns the ${thing}?`, answers: [owners[at]], positives: [thing] })),
)
write(
  "corpus.jsonl",
  things.map((thing, at) => ({ id: thing, text: `The ${thing} belongs to ${owners[at]}.` })),
)
write(
  "rows.jsonl",
  things.map((thing, at) => ({
    segments: [
      { label: false, text: `who owns the ${thing}?` },
      { label: true, text: ` ${owners[at]}` },
    ],
    metadata: { failed: at === 3 },
  })),
)
writeFileSync(join(folder.path, "prompt.txt"), "{query} {context} {response}")

const run = async (text: string) => {
  const ended = await tandem([...text.split(" "), "--json", "--threads", "1"], undefined, { cwd: folder.path })
  const rows = ended.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
  return { code: ended.code, stderr: ended.stderr, last: rows.at(-1) }
}
const succeed = async (text: string) => {
  const { code, stderr, last } = await run(text)
  assert.equal(code, 0, `${text}\n${stderr}`)
  return last
}

const data = "--data train.jsonl --corpus corpus.jsonl"
const tiny = "--tiny-hidden 32 --tiny-layers 1 --tiny-heads 2 --tiny-intermediate 64 --tiny-vocabulary 200"
const prompts = "--template prompt.txt --max-answer 8 --max-prompt 64 --batch-size 2"
const reader = `--generator base ${prompts}`

test("a retriever's passages train a reader, and three runs say what the data need", async () => {
  await succeed(`dpr train ${data} --model tiny ${tiny} --max-steps 2 --out retriever`)
  const counts = await succeed(`ralt prepare ${data} --retriever retriever --k 2 --out prepared.jsonl`)
  assert.deepEqual([counts.questions, counts.passages], [4, 8])
  // What a verdict compares with is a model that lies somewhere; a tiny one is gone with its run.
  await succeed(`ralt train ${data} --generator tiny ${tiny} ${prompts} --max-steps 1 --out base`)
  const train = `ralt train ${data} --retriever retriever --dev train.jsonl ${reader} --answers 2 --k 2 --max-steps 2`
  const done = await succeed(`${train} --weights retriever --lora 2 --out reader`)
  assert.equal(done.report.status, "completed")
  assert.ok(done.report.after["retrieved.nll"] > 0)
  await succeed(`${train} --closed-book-share 1 --out closed`)
  const figures = await succeed(
    "ralt eval --run reader --data prepared.jsonl --k-eval 1,2 --answers 2 --without closed",
  )
  assert.ok(Math.abs(figures.retrieved.nll - done.report.after["retrieved.nll"]) < 1e-4)
  assert.deepEqual(
    figures.sweep.map(({ k }: { readonly k: number }) => k),
    [1, 2],
  )
  assert.equal(figures.verdict.metric, "f1")
  assert.match(figures.verdict.words[0], /fine-tuned without retrieval/)
  const tinyBase = await run("ralt eval --run base --data prepared.jsonl --k-eval 1 --without closed")
  assert.deepEqual([tinyBase.code, tinyBase.last.error.field], [2, "without"])
  const rows = await succeed("ralt eval --run base --data rows.jsonl")
  assert.deepEqual([rows.n, rows.success.n, rows.failed.n], [4, 3, 1])
  assert.equal(rows.intervals["failed.nll"].estimate, rows.failed.nll)
})

test("settings that have no effect or contradict one another are refused by their flags", async () => {
  const refused = async (more: string) => {
    const { code, last } = await run(`ralt train ${data} ${reader} --out refused ${more}`)
    assert.equal(code, 2, more)
    return last.error.field
  }
  assert.equal(await refused("--weight-temperature 2"), "--weight-temperature")
  assert.equal(await refused("--passages retriever"), "--retriever")
  assert.equal(await refused("--k-eval 2"), "--k-eval")
  assert.equal(await refused("--weights retriever --passages-per-prompt 2"), "--weights")
})
