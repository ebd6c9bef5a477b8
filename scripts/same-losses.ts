// Trains small retrievers with the sources of another commit and with these, on the same files, and compares every step's
// loss and gradient norm and every evaluation bit for bit.
// Usage: node scripts/same-losses.ts COMMIT | --write   (--write: records the losses of these sources for the tests)
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { runCommand } from "./support/Command.ts"
import { firstDifference, type LossRow, lossRuns, runLosses, writeLossData } from "./support/LossRuns.ts"
import { root } from "./support/Workspace.ts"

const lossesFile = join(root, "test/golden/dpr-losses.json")

/** Rows of every run by its name. */
export type RecordedLosses = Readonly<Record<string, readonly LossRow[]>>

export const readLosses = (): RecordedLosses => JSON.parse(readFileSync(lossesFile, "utf8"))

/** Checks a commit out into `tree` and installs what it needs. */
const checkOut = async (commit: string, tree: string): Promise<void> => {
  const steps = [
    { command: "git", args: ["worktree", "add", "--detach", "--quiet", tree, commit], cwd: root },
    { command: "npm", args: ["run", "setup"], cwd: tree },
  ]
  for (const { command, args, cwd } of steps) {
    const { status, output } = await runCommand(command, args, { cwd })
    if (status !== 0) throw new Error(`${[command, ...args].join(" ")} ended with ${status}\n${output}`)
  }
}

/** Whether all runs are the same with the sources of `tree` and with these; stops at the first that is not. */
const compareWith = async (tree: string, folder: string): Promise<boolean> => {
  const files = await writeLossData(folder)
  console.log(`${"run".padEnd(16)}${"steps".padStart(6)}${"evaluations".padStart(13)}  result`)
  for (const [index, run] of lossRuns.entries()) {
    const before = await runLosses(run, tree, files, join(folder, `before-${index}`))
    const now = await runLosses(run, root, files, join(folder, `now-${index}`))
    const evaluations = before.filter((row) => "eval" in row).length
    const difference = firstDifference(before, now)
    const counts = `${before.length - evaluations}`.padStart(6) + `${evaluations}`.padStart(13)
    console.log(`${run.name.padEnd(16)}${counts}  ${difference === undefined ? "equal" : "different"}`)
    if (difference === undefined) continue
    const { row, field, expected, found } = difference
    const step = (before[row] ?? now[row])?.["step"]
    console.log(`${run.name}, row ${row + 1}, step ${step}: ${field} was ${expected}, is ${found ?? "missing"}`)
    return false
  }
  return true
}

/** Records the losses of these sources. */
const record = async (folder: string): Promise<void> => {
  const files = await writeLossData(folder)
  const recorded: Record<string, readonly LossRow[]> = {}
  for (const [index, run] of lossRuns.entries())
    recorded[run.name] = await runLosses(run, root, files, join(folder, `run-${index}`))
  const rows = (of: readonly LossRow[]) => of.map((row) => `    ${JSON.stringify(row)}`).join(",\n")
  const runs = Object.entries(recorded).map(([name, of]) => `  ${JSON.stringify(name)}: [\n${rows(of)}\n  ]`)
  writeFileSync(lossesFile, `{\n${runs.join(",\n")}\n}\n`)
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({ options: { write: { type: "boolean" } }, allowPositionals: true })
  const [commit] = positionals
  if ((commit === undefined) !== (values.write === true))
    throw new Error("expected a commit to compare with, or --write; found neither or both")
  const folder = mkdtempSync(join(tmpdir(), "tandem-losses-"))
  const tree = join(folder, "before")
  const cleanUp = () => {
    // Fails where there is none yet.
    spawnSync("git", ["worktree", "remove", "--force", tree], { cwd: root })
    rmSync(folder, { recursive: true, force: true })
  }
  process.once("SIGINT", () => {
    cleanUp()
    process.exit(130)
  })
  try {
    if (commit === undefined) await record(folder)
    else {
      await checkOut(commit, tree)
      if (!(await compareWith(tree, folder))) process.exitCode = 1
    }
  } finally {
    cleanUp()
  }
}
