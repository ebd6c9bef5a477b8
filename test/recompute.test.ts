// Recomputation on a whole encoder: the same gradients bit for bit, in less memory. Each step has a process of its own,
// because the peak of a process never falls.
import assert from "node:assert/strict"
import { execFile } from "node:child_process"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import type { StepReport, StepSettings } from "./support/trainingStep.ts"

const script = fileURLToPath(new URL("./support/trainingStep.ts", import.meta.url))
const shape = { layers: 12, hidden: 128, heads: 4, batch: 8, tokens: 512, runs: 1, threads: 2 }

const stepIn = async (recompute: StepSettings["recompute"]): Promise<StepReport> => {
  const settings: StepSettings = { ...shape, recompute }
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(settings)])
  return JSON.parse(stdout)
}

test("12 layers at 8 × 512 need at least 40 % less memory, and their gradients are the same", async (t) => {
  const plain = await stepIn(null)
  const saving = await stepIn("auto")
  t.diagnostic(`${plain.peakMiB} MiB and ${saving.peakMiB} MiB`)
  assert.ok(Number.isFinite(plain.loss) && plain.loss !== 0)
  assert.equal(saving.loss, plain.loss)
  assert.equal(saving.gradients, plain.gradients)
  assert.ok(saving.peakMiB <= 0.6 * plain.peakMiB, `${saving.peakMiB} MiB of ${plain.peakMiB} MiB`)
})
