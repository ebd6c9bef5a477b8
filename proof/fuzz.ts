// Damaged files of every format that is read, 10,000 mutations each: `npm run proof -- fuzz [MUTATIONS]`. What is done is kept
// in .cache/, so that a run that was ended goes on where it was.
import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { writeWhole } from "@tandem/files/node/WriteWhole"
import type { Experiment } from "../scripts/support/Experiment.ts"
import { runFuzz, targetNames } from "../test/support/fuzz/RunFuzz.ts"

/** Rounds between two notes of what is done. */
const stretch = 1000

interface Figures {
  readonly rounds: number
  readonly refused: number
  readonly same: number
  /** Rounds that were read as something else, by the reason for which no word was due. */
  readonly others: Readonly<Record<string, number>>
  readonly failures: readonly string[]
}

const none: Figures = { rounds: 0, refused: 0, same: 0, others: {}, failures: [] }

export const run: Experiment = async ({ args, root, log }) => {
  const mutations = Number(args[0] ?? 10_000)
  const file = join(root, ".cache/fuzz-proof.json")
  const done: Record<string, Figures> = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {}
  const names = await targetNames()
  for (const [index, name] of names.entries()) {
    for (let from = done[name]?.rounds ?? 0; from < mutations; from += stretch) {
      const before = done[name] ?? none
      const to = Math.min(from + stretch, mutations)
      const { refused, same, others, failures } = await runFuzz(index, from, to)
      const reasons = new Set([...Object.keys(before.others), ...Object.keys(others)])
      done[name] = {
        rounds: to,
        refused: before.refused + refused,
        same: before.same + same,
        others: Object.fromEntries(
          [...reasons].map((reason) => [reason, (before.others[reason] ?? 0) + (others[reason] ?? 0)]),
        ),
        failures: [...before.failures, ...failures.map((failure) => failure.replaceAll(root, "."))],
      }
      await writeWhole(file, JSON.stringify(done))
      log(`${name}: ${to} of ${mutations}, ${done[name].failures.length} failures`)
      for (const failure of failures) log(failure)
    }
  }
  rmSync(file)
  return {
    settings: { mutations },
    figures: Object.fromEntries(names.map((name) => [name, done[name]])),
    holds: Object.fromEntries(
      names.map((name) => [
        `${name}: refused by name, the same, or what the format cannot tell`,
        done[name]?.failures.length === 0,
      ]),
    ),
  }
}
