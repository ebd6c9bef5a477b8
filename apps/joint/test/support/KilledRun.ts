// Joint runs in processes of their own, killed at chosen moments and resumed.
import assert from "node:assert/strict"
import { mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { killAndResume, type Moment, reportOf } from "../../../../test/support/Killed.ts"
import { hashes, rowsOf, tandem } from "../../../../test/support/TrainingProcess.ts"
import { smallWorld } from "./SmallWorld.ts"

/** Flags of a run with adapters, passages live and an index that is made anew beside training most of the time. */
const flagsFor = (folder: string, out: string, steps: number): readonly string[] => {
  mkdirSync(folder, { recursive: true })
  const { data, dev, corpus, template } = smallWorld(folder)
  return [
    ...["joint", "train", "--data", data, "--dev", dev, "--corpus", corpus, "--template", template, "--out", out],
    ...["--model", "tiny", "--generator", "tiny", "--tiny-hidden", "16", "--tiny-layers", "1", "--tiny-heads", "2"],
    ...["--tiny-intermediate", "32", "--tiny-vocabulary", "200", "--max-length", "24", "--batch-size", "4", "--k", "2"],
    ...["--max-answer", "8", "--max-prompt", "64", "--pass-tokens", "120", "--answers", "2", "--temperature", "0.1"],
    ...["--train", "query", "--train", "generator", "--train", "passage", "--lora", "generator=4:8"],
    ...["--refresh", "every:4", "--refresh-delay", "3", "--lr", "0.003", "--dropout", "0.1", "--threads", "1"],
    ...["--epochs", "1000", "--max-steps", `${steps}`, "--save-every", "5", "--eval-every", "20"],
  ]
}

/** Kills a run at all moments in turn; what is left at its end is the run that nobody disturbed. Gives the last steps before the kills. */
export const assertKilledIsSame = async (
  folder: string,
  steps: number,
  moments: readonly Moment[],
): Promise<readonly number[]> => {
  const [reference, out] = [join(folder, "reference"), join(folder, "killed")]
  const { code, stderr } = await tandem(flagsFor(join(folder, "data"), reference, steps))
  assert.equal(code, 0, stderr)
  const reached = await killAndResume(flagsFor(join(folder, "data"), out, steps), out, moments)
  assert.deepEqual(rowsOf(out), rowsOf(reference))
  for (const part of ["retriever", "passage-retriever", "generator"])
    assert.deepEqual(hashes(join(out, part)), hashes(join(reference, part)), part)
  assert.deepEqual(indexed(out), indexed(reference))
  for (const key of ["status", "steps", "savedStep", "before", "after", "intervals", "differences"])
    assert.deepEqual(reportOf(out)[key], reportOf(reference)[key], key)
  // Nothing that a kill has left lies about, not even the lock.
  for (const part of [".", "checkpoints"])
    assert.deepEqual(readdirSync(join(out, part)), readdirSync(join(reference, part)), part)
  return reached
}

/** What an index holds; its manifest has the names of its files, which no two writings share. */
const indexed = (run: string): ReadonlySet<string | undefined> =>
  new Set(hashes(join(run, "store")).flatMap((entry) => (/manifest/.test(entry) ? [] : [entry.split(" ").at(-1)])))
