import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { after, test } from "node:test"
import { makeFolder, smallRun, tandem } from "./support/Tandem.ts"

const folder = makeFolder()
after(folder.remove)

const stepsOf = (out: string): readonly number[] =>
  readFileSync(join(out, "metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line))
    .filter((row) => "loss" in row)
    .map(({ step }) => step)

test("Ctrl-C leaves a run that --resume ends, with no step twice", async () => {
  const out = join(folder.path, "run")
  const flags = [...smallRun(folder.path, out), "--epochs", "400", "--max-steps", "800"]
  let sent = false
  const interrupted = await tandem([...flags, "--json"], (child, _, stdout) => {
    if (sent || !stdout.includes('"step":3,')) return
    sent = true
    child.kill("SIGINT")
  })
  assert.equal(interrupted.code, 130, interrupted.stderr)
  assert.match(interrupted.stderr, /finishing the step, saving/)
  assert.match(interrupted.stderr, /to go on: +tandem dpr train .*--resume/)
  const last = JSON.parse(interrupted.stdout.trim().split("\n").at(-1) ?? "")
  assert.equal(last.error.tag, "TrainingInterrupted")
  const resumed = await tandem([...flags, "--resume", "--quiet"])
  assert.equal(resumed.code, 0, resumed.stderr)
  assert.deepEqual(
    stepsOf(out),
    Array.from({ length: 800 }, (_, index) => index + 1),
  )
})

test("a second Ctrl-C ends at once", async () => {
  const out = join(folder.path, "twice")
  const flags = [...smallRun(folder.path, out), "--epochs", "100000", "--json"]
  let sent = 0
  const { code } = await tandem(flags, (child, stderr, stdout) => {
    if (sent === 0 && stdout.includes('"step":3,')) {
      sent = 1
      child.kill("SIGINT")
      child.kill("SIGINT")
    }
    // The two may arrive as one. Where they did not, the third can meet a process that is ending and end it itself.
    if (sent === 1 && stderr.includes("finishing")) {
      sent = 2
      child.kill("SIGINT")
    }
  })
  assert.equal(code, 130)
})
