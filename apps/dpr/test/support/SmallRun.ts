// A small run of `tandem dpr train`, and what two that took the same steps have in common.
import assert from "node:assert/strict"
import { mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { reportOf } from "../../../../test/support/Killed.ts"
import { hashes, rowsOf } from "../../../../test/support/TrainingProcess.ts"

const goods = ["salt", "amber", "wool", "glass", "copper", "tea", "timber", "silk", "wax", "iron", "rope", "dye"]

/** Flags of a small run with dropout and evaluations: 36 questions about 12 towns, a model of one layer. */
export const smallRun = (folder: string, out: string, steps: number): readonly string[] => {
  mkdirSync(folder, { recursive: true })
  const [data, dev, corpus] = ["data", "dev", "corpus"].map((name) => join(folder, `${name}.jsonl`))
  const towns = goods.map((good, index) => ({ good, town: `Town${String.fromCharCode(65 + index)}`, id: `p${index}` }))
  const ask = (words: string) =>
    towns.map(({ good, town, id }) => ({
      id: `${words}-${id}`,
      query: `${words} in ${town}?`,
      positives: [id],
      answers: [good],
    }))
  const write = (file: string | undefined, rows: readonly object[]) =>
    writeFileSync(file ?? "", rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
  write(data, [...ask("What can one buy"), ...ask("What do they sell"), ...ask("Which goods are there to trade")])
  write(dev, ask("What is on sale"))
  write(
    corpus,
    towns.map(({ good, town, id }) => ({ id, text: `The traders of ${town} are known for ${good}.` })),
  )
  return [
    ...["dpr", "train", "--data", `${data}`, "--dev", `${dev}`, "--corpus", `${corpus}`, "--out", out],
    ...["--model", "tiny", "--tiny-hidden", "16", "--tiny-layers", "1", "--tiny-heads", "2"],
    ...["--tiny-intermediate", "32", "--tiny-vocabulary", "120", "--max-length", "16", "--batch-size", "4"],
    ...["--lr", "0.003", "--dropout", "0.1", "--threads", "1", "--seed", "7", "--epochs", "1000"],
    ...["--max-steps", `${steps}`, "--save-every", "5", "--eval-every", "20"],
  ]
}

/** Asserts that two finished runs took the same steps, bit for bit, to the same retriever and index. */
export const assertSame = (out: string, reference: string, steps: number): void => {
  const rows = rowsOf(out)
  assert.deepEqual(
    rows.filter((row) => "loss" in row).map(({ step }) => step),
    Array.from({ length: steps }, (_, index) => index + 1),
  )
  assert.deepEqual(rows, rowsOf(reference))
  assert.deepEqual(hashes(join(out, "retriever")), hashes(join(reference, "retriever")))
  // The index's manifest holds the names of its files, which no two writings share.
  const contents = (run: string) =>
    new Set(hashes(join(run, "store")).flatMap((entry) => (/manifest/.test(entry) ? [] : [entry.split(" ").at(-1)])))
  assert.deepEqual(contents(out), contents(reference))
  const [found, expected] = [out, reference].map(reportOf)
  for (const key of ["status", "steps", "savedStep", "after", "before", "intervals", "differences"]) {
    assert.deepEqual(found[key], expected[key], key)
  }
  // Nothing that a kill has left lies about, not even the lock.
  for (const part of [".", "checkpoints"]) {
    assert.deepEqual(readdirSync(join(out, part)), readdirSync(join(reference, part)))
  }
  assert.equal(readdirSync(join(out, "store")).length, readdirSync(join(reference, "store")).length)
}
