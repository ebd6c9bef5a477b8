// Runs of adapters on packed passages that are killed or ended while they score, with real processes and files.
import assert from "node:assert/strict"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, before, test } from "node:test"
import {
  afterTraining,
  atCheckpoint,
  beforeTraining,
  betweenSteps,
  killAndResume,
  randomNumbers,
  reportOf,
} from "../../../../test/support/Killed.ts"
import { hashes, rowsOf, tandem } from "../../../../test/support/TrainingProcess.ts"

// Enough that a quick machine is not done before the last kill.
const steps = 240

const folder = mkdtempSync(join(tmpdir(), "tandem-ralt-resume-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const owners = ["anna", "ben", "cleo", "dan", "eve", "finn", "gina", "hugo"]
const lines = (name: string, rows: readonly unknown[]): string => {
  const file = join(folder, name)
  writeFileSync(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""))
  return file
}
const question = (owner: string, index: number) => ({
  id: `q${index}`,
  query: `who owns house ${index}?`,
  answers: [owner],
  positives: [`${index}-1`],
})
const data = lines("train.jsonl", owners.map(question))
const dev = lines("dev.jsonl", owners.slice(0, 3).map(question))
const corpus = lines(
  "corpus.jsonl",
  owners.flatMap((owner, index) => [
    { id: `${index}-1`, text: `House ${index} belongs to ${owner}.` },
    { id: `${index}-2`, text: `House ${index} is old, and made of ${"grey ".repeat(1 + (index % 4))}stone.` },
  ]),
)
/** Three questions a step in passes of about one and a half, their passages behind a shared beginning. */
const flagsFor = (out: string): readonly string[] => [
  ...["ralt", "train", "--data", data, "--dev", dev, "--corpus", corpus, "--out", out],
  ...["--generator", "tiny", "--tiny-hidden", "16", "--tiny-layers", "1", "--tiny-heads", "2"],
  ...["--tiny-intermediate", "32", "--tiny-vocabulary", "120", "--k", "2", "--batch-size", "3", "--pass-tokens", "200"],
  ...["--lora", "4:8", "--lr", "0.003", "--dropout", "0.1", "--closed-book-share", "0.2", "--max-answer", "8"],
  ...["--answers", "1", "--threads", "1", "--seed", "7", "--epochs", "100", "--max-steps", `${steps}`],
  ...["--save-every", "5", "--eval-every", "80"],
]
const reference = join(folder, "reference")

before(async () => {
  const { code, stderr } = await tandem(flagsFor(reference))
  assert.equal(code, 0, stderr)
})

const assertSame = (out: string): void => {
  const rows = rowsOf(out)
  assert.deepEqual(
    rows.filter((row) => "loss" in row).map(({ step }) => step),
    Array.from({ length: steps }, (_, index) => index + 1),
  )
  assert.deepEqual(rows, rowsOf(reference))
  assert.deepEqual(hashes(join(out, "generator")), hashes(join(reference, "generator")))
  const [found, expected] = [out, reference].map(reportOf)
  for (const key of ["status", "steps", "savedStep", "after", "before", "intervals", "differences"]) {
    assert.deepEqual(found[key], expected[key], key)
  }
  for (const part of [".", "checkpoints", "prepared"]) {
    assert.deepEqual(readdirSync(join(out, part)), readdirSync(join(reference, part)))
  }
}

test("a run that is killed at ten moments and resumed is the same run", async (t) => {
  const out = join(folder, "killed")
  const random = randomNumbers(13)
  const between = [betweenSteps, atCheckpoint, betweenSteps, atCheckpoint]
  const moments = [beforeTraining, ...between, beforeTraining, ...between.slice(1), afterTraining]
  const reached = await killAndResume(
    flagsFor(out),
    out,
    moments.map((moment) => moment(random)),
  )
  t.diagnostic(`last steps before the kills: ${reached.join(", ")}`)
  assertSame(out)
})

test("a run that gets two signals while it scores ends with 130 and goes on", async () => {
  const out = join(folder, "ended")
  let sent = false
  const { code, signal } = await tandem(flagsFor(out), ({ event, step }, child) => {
    if (sent || event !== "step" || step !== steps) return
    sent = true
    // As below npm, which passes on what its child has got already. Answers are scored after the last step.
    child.kill("SIGTERM")
    setTimeout(() => child.kill("SIGTERM"), 5)
  })
  assert.deepEqual({ code, signal }, { code: 130, signal: null })
  assert.equal((await tandem([...flagsFor(out), "--resume"])).code, 0)
  assertSame(out)
})
