// Weights, texts under two ids, lonely questions and graded judgements, by data of our own.
import assert from "node:assert/strict"
import { writeFileSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { test } from "node:test"
import { readExamples } from "@tandem/datasets/node/Files"
import { evaluateBm25 } from "@tandem/objectives"
import { Effect, Schema } from "effect"
import { loadData } from "../../src/DprData.ts"
import { DprSettings } from "../../src/Settings.ts"
import { assertError } from "../support/AssertError.ts"
import { fewExamples, fewPassages, writeLines } from "../support/FewExamples.ts"
import { golden, scratchFolder, succeed, tandem } from "../support/Tandem.ts"

const scratch = scratchFolder()
const model = golden("sentence-transformers-tiny")
let files = 0
const lines = (...rows: readonly unknown[]): string => writeLines(join(scratch, `${files++}.jsonl`), rows)

const corpus = lines(...fewPassages)
const examples = fewExamples.map(({ id, query, positive, negative }) => ({
  id,
  query,
  positives: [positive.id],
  negatives: [negative.id],
}))
const withWeights = (...weights: readonly number[]): string =>
  lines(...examples.map((example, at) => ({ ...example, weight: weights[at] ?? 0 })))

/** `tandem dpr train` of one step of all questions; its loss and what it warned about. */
const firstLoss = async (data: string, flags: readonly string[] = [], passages = corpus) => {
  const events = await succeed(
    ...[
      "dpr",
      "train",
      "--data",
      data,
      "--corpus",
      passages,
      "--model",
      model,
      "--batch-size",
      "6",
      "--max-steps",
      "1",
    ],
    ...["--threads", "1", "--out", join(scratch, `run-${files++}`), ...flags],
  )
  return {
    loss: Number(events.find(({ event }) => event === "step")?.loss),
    warnings: events.filter(({ event }) => event === "warning").map(({ message }) => String(message)),
  }
}

for (const flags of [[], ["--untied", "--negatives", "none", "--symmetric"]]) {
  test(`a batch's loss is the weighted mean of its questions' losses ${flags.join(" ")}`, async () => {
    const [first, second] = [await firstLoss(withWeights(2), flags), await firstLoss(withWeights(0, 1), flags)]
    assert.ok(Math.abs(first.loss - second.loss) > 1e-4)
    const both = await firstLoss(withWeights(1, 3), flags)
    assert.ok(Math.abs(both.loss - (first.loss + 3 * second.loss) / 4) < 1e-5, `${both.loss}`)
  })
}

test("weights of 0 alone are refused", async () => {
  const args = ["dpr", "train", "--json", "--data", withWeights(0), "--corpus", corpus, "--model", model]
  assertError(await tandem([...args, "--out", join(scratch, "zero")]), { tag: "Settings", code: 2, field: "weight" })
})

test("a hard negative with a positive's text, under another id, is no negative", async () => {
  const twins = fewPassages
    .filter(({ id }) => id.endsWith("-1"))
    .map((passage) => ({ ...passage, id: `${passage.id}-twin` }))
  const all = lines(...fewPassages, ...twins)
  const own = lines(...examples.map((example) => ({ ...example, negatives: [`${example.positives[0]}-twin`] })))
  const copied = await firstLoss(own, ["--dropout", "0"], all)
  const none = await firstLoss(lines(...examples), ["--negatives", "none", "--dropout", "0"])
  assert.ok(Math.abs(copied.loss - none.loss) < 1e-5, `${copied.loss}, not ${none.loss}`)
})

test("one passage for all questions is told", async () => {
  const same = examples.map(({ query }) => ({ query, positives: ["tower-1"] }))
  const { loss, warnings } = await firstLoss(lines(...same))
  assert.equal(loss, 0)
  assert.ok(warnings.some((message) => message.includes("nothing to tell it from")))
})

/** The data of a run with these settings, or the error that they end in. */
const loaded = (data: string, settings: object) =>
  Effect.runPromise(
    Schema.decodeUnknownEffect(DprSettings)({ data: [data], corpus, model, out: scratch, ...settings }).pipe(
      Effect.flatMap(loadData),
      Effect.result,
    ),
  )

test("a question alone without negatives is refused, joined to a batch, or told, as far as it is alone", async () => {
  const plain = lines(...examples.map(({ negatives: _, ...example }) => example))
  const some = lines({ ...examples[0] }, ...examples.slice(1).map(({ negatives: _, ...example }) => example))
  const cases: readonly (readonly [string, object, number | undefined, RegExp?])[] = [
    [plain, { batchSize: 1 }, undefined],
    [lines(examples[0]), { batchSize: 4, negatives: "none" }, undefined],
    [plain, { batchSize: 5 }, 2, /1 question would be alone/],
    [plain, { batchSize: 4 }, 2],
    [lines(...examples), { batchSize: 5 }, 1],
    [lines(...examples), { batchSize: 1 }, 1],
    [some, { batchSize: 1 }, 1, /5 of 6 questions have no negative/],
    [some, { batchSize: 5 }, 2, /1 question would be alone/],
  ]
  for (const [data, settings, smallest, warning] of cases) {
    const result = await loaded(data, settings)
    const what = JSON.stringify(settings)
    if (result._tag === "Failure") {
      assert.deepEqual([result.failure._tag, smallest], ["Settings", undefined], what)
      continue
    }
    assert.equal(result.success.smallestBatch, smallest, what)
    const alone = result.success.warnings.filter((message) => message.includes("alone"))
    assert.equal(alone.length, warning === undefined ? 0 : 1, what)
    if (warning !== undefined) assert.match(alone.join(), warning)
  }
})

test("grades of judgements are gains; a question of the corpus does not find itself", async () => {
  const folder = join(scratch, "beir")
  await mkdir(join(folder, "qrels"), { recursive: true })
  const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
  const passages = ["red fox red", "red fox", "red hen and a fox", "blue"].map((text, at) => ({ _id: `d${at}`, text }))
  write("corpus.jsonl", passages.map((passage) => `${JSON.stringify(passage)}\n`).join(""))
  write("queries.jsonl", '{"_id": "d1", "text": "red fox"}\n{"_id": "q", "text": "red fox"}\n')
  write("qrels/test.tsv", "query-id\tcorpus-id\tscore\nd1\td2\t3\nd1\td0\t1\nq\td1\t2\nq\td2\t1\n")
  const data = await Effect.runPromise(readExamples(folder, { evaluation: true }))
  const { rankings, perQuestion } = evaluateBm25(data)
  const [own, other] = rankings.map((list) => list.map(({ id }) => id))
  assert.deepEqual([own?.includes("d1"), other?.includes("d1")], [false, true])
  const gain = (list: readonly string[] = [], grades: Readonly<Record<string, number>>): number =>
    list.reduce((sum, id, at) => sum + (grades[id] ?? 0) / Math.log2(at + 2), 0)
  const expected = [
    gain(own, { d2: 3, d0: 1 }) / gain(["d2", "d0"], { d2: 3, d0: 1 }),
    gain(other, { d1: 2, d2: 1 }) / gain(["d1", "d2"], { d1: 2, d2: 1 }),
  ]
  assert.deepEqual([...(perQuestion["ndcg@10"] ?? [])], expected)
})
