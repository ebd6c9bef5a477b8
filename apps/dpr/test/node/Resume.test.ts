// Runs that are killed, interrupted, begun twice or resumed as another one, with real processes and files.
import assert from "node:assert/strict"
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
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
import { rowsOf, tandem } from "../../../../test/support/TrainingProcess.ts"
import { assertSame, smallRun } from "../support/SmallRun.ts"

const steps = 400

const folder = mkdtempSync(join(tmpdir(), "tandem-resume-"))
after(() => rmSync(folder, { recursive: true, force: true }))
const reference = join(folder, "reference")
const flagsFor = (out: string) => smallRun(join(folder, "data"), out, steps)

before(async () => {
  const { code, stderr } = await tandem(flagsFor(reference))
  assert.equal(code, 0, stderr)
})

test("the reference run takes its steps and evaluates", () => {
  const rows = rowsOf(reference)
  assert.equal(rows.filter((row) => "eval" in row).length, steps / 20)
  // Two of many losses may round to the same number.
  assert.ok(new Set(rows.filter((row) => "loss" in row).map(({ loss }) => loss)).size > steps - 5)
  assert.equal(reportOf(reference).status, "completed")
})

test("a run that is killed and resumed again and again is the same run", async (t) => {
  const out = join(folder, "killed")
  const random = randomNumbers(4)
  const moments = [betweenSteps, atCheckpoint, beforeTraining, afterTraining].map((moment) => moment(random))
  t.diagnostic(`last steps before the kills: ${(await killAndResume(flagsFor(out), out, moments)).join(", ")}`)
  assertSame(out, reference, steps)
})

test("an interrupted run says so, ends with 130 and goes on with the same losses", async () => {
  const out = join(folder, "interrupted")
  let sent = false
  const { code, events } = await tandem(flagsFor(out), (event, child) => {
    if (sent || event.step !== 13) return
    sent = true
    child.kill("SIGINT")
  })
  assert.equal(code, 130)
  assert.equal(events.at(-1)?.error?.tag, "TrainingInterrupted")
  assert.equal(reportOf(out).status, "interrupted")
  const last = rowsOf(out).findLast((row) => "loss" in row)?.["step"]
  assert.equal(reportOf(out).steps, last)
  assert.ok(existsSync(join(out, "checkpoints", `step-${String(last).padStart(8, "0")}`, "state.json")))
  assert.equal((await tandem([...flagsFor(out), "--resume"])).code, 0)
  assertSame(out, reference, steps)
})

test("a run folder belongs to one living process", async () => {
  const out = join(folder, "locked")
  const flags = smallRun(join(folder, "data"), out, 1_000_000)
  let second: ReturnType<typeof tandem> | undefined
  const first = await tandem(flags, (event, child) => {
    if (second !== undefined || event.event !== "step") return
    second = tandem([...flags, "--resume"]).finally(() => child.kill("SIGKILL"))
  })
  const refused = await second
  assert.equal(first.signal, "SIGKILL")
  assert.equal(refused?.code, 4)
  const error = refused?.events.at(-1)?.error
  assert.equal(error?.tag, "RunLocked")
  assert.match(error?.message ?? "", new RegExp(`process ${Number(readFileSync(join(out, ".lock"), "utf8"))} `))
})

test("a run is not begun anew, nor resumed as another one", async () => {
  const configOf = () => readFileSync(join(reference, "config.json"), "utf8")
  const config = configOf()
  const again = await tandem(flagsFor(reference))
  assert.equal(again.code, 2)
  assert.equal(again.events.at(-1)?.error?.tag, "Settings")
  assert.match(again.events.at(-1)?.error?.hint ?? "", /--resume/)
  const other = await tandem([...flagsFor(reference), "--resume", "--weight-decay", "0.5"])
  assert.equal(other.code, 2)
  assert.equal(other.events.at(-1)?.error?.field, "weightDecay")
  assert.equal(configOf(), config)
})
