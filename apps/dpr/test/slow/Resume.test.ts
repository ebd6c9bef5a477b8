// A run that is killed 20 times and resumed each time is the run that never was, with real processes and files.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import {
  afterTraining,
  atCheckpoint,
  beforeTraining,
  betweenSteps,
  killAndResume,
  randomNumbers,
} from "../../../../test/support/Killed.ts"
import { tandem } from "../../../../test/support/TrainingProcess.ts"
import { assertSame, smallRun } from "../support/SmallRun.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-kills-"))
after(() => rmSync(folder, { recursive: true, force: true }))

// Enough that a quick machine is not done before the last kill: some 20 steps pass before a kill arrives.
const steps = 800

test("20 kills and resumptions leave the same losses, evaluations, weights and index", async (t) => {
  const [reference, out] = [join(folder, "reference"), join(folder, "killed")]
  const flagsFor = (run: string) => smallRun(join(folder, "data"), run, steps)
  const { code, stderr } = await tandem(flagsFor(reference))
  assert.equal(code, 0, stderr)
  const random = randomNumbers(20)
  const moments = [
    ...Array.from({ length: 17 }, (_, kill) =>
      (kill % 6 === 2 ? beforeTraining : kill % 2 === 0 ? betweenSteps : atCheckpoint)(random),
    ),
    ...Array.from({ length: 3 }, () => afterTraining(random)),
  ]
  const reached = await killAndResume(flagsFor(out), out, moments)
  t.diagnostic(`last steps before the kills: ${reached.join(", ")}`)
  assertSame(out, reference, steps)
})
