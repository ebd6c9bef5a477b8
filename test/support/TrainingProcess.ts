// Training runs of `tandem … train` in processes of their own, which tests interrupt and kill.
import { type ChildProcess, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { readSafetensors } from "@tandem/safetensors"

const main = fileURLToPath(new URL("../../apps/cli/src/main.ts", import.meta.url))

/** How a process ended. */
export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly events: readonly TrainingEvent[]
  readonly stderr: string
}

/** A line of `--json`. */
export interface TrainingEvent {
  readonly event: string
  readonly step?: number
  readonly error?: { readonly tag: string; readonly message: string; readonly field?: string; readonly hint?: string }
}

/** Runs `tandem … --json`; `watch` sees every event as it comes, with the process. */
export const tandem = (
  args: readonly string[],
  watch: (event: TrainingEvent, process: ChildProcess) => void = () => {},
  started: (process: ChildProcess) => void = () => {},
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args, "--json"], { stdio: ["ignore", "pipe", "pipe"] })
    const events: TrainingEvent[] = []
    let [rest, stderr] = ["", ""]
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n")
      rest = lines.pop() ?? ""
      for (const line of lines) {
        const event: TrainingEvent = JSON.parse(line)
        events.push(event)
        watch(event, child)
      }
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    child.on("error", reject)
    child.on("close", (code, signal) => resolve({ code, signal, events, stderr }))
    started(child)
  })

/** Rows of `metrics.jsonl` without what clocks decide. */
export const rowsOf = (out: string): readonly Readonly<Record<string, unknown>>[] =>
  readFileSync(join(out, "metrics.jsonl"), "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const { time: _time, seconds: _seconds, ...row } = JSON.parse(line)
      return row
    })

const filesOf = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()

/** Names and hashes of all files below a folder. */
export const hashes = (folder: string): readonly string[] =>
  filesOf(folder).map(
    (file) => `${file.slice(folder.length)} ${createHash("sha256").update(readFileSync(file)).digest("hex")}`,
  )

/** Reads every file of a run that was killed, apart from what was being written aside; a damaged one throws. */
export const readAll = (out: string): number => {
  const whole = filesOf(out).filter((file) => !/\.part(ial)?(\/|$)/.test(file))
  for (const file of whole) {
    const bytes = readFileSync(file)
    if (file.endsWith(".safetensors")) readSafetensors(bytes, file)
    if (file.endsWith(".json")) JSON.parse(bytes.toString())
    if (file.endsWith(".jsonl")) for (const line of bytes.toString().split("\n").slice(0, -1)) JSON.parse(line)
  }
  return whole.length
}
