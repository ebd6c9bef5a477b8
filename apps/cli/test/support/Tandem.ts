import { type ChildProcess, spawn } from "node:child_process"
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { constants, tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../../src/main.ts", import.meta.url))

/** How a command ended. */
export interface Ended {
  /** As a shell tells it: 128 and the signal's number where a signal ended the process. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** Where a process runs, and what it reads. */
export interface Surroundings {
  readonly cwd?: string
  /** What stands on standard input; it is empty where absent. */
  readonly input?: string
  /** Leaves standard input open after `input`. */
  readonly keepOpen?: boolean
  readonly environment?: Readonly<Record<string, string>>
}

/** Runs `tandem` in a process of its own; `watch` sees the process and what it has written so far. */
export const tandem = (
  args: readonly string[],
  watch: (process: ChildProcess, stderr: string, stdout: string) => void = () => {},
  { cwd, input = "", keepOpen = false, environment = {} }: Surroundings = {},
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const env = { ...process.env, ...environment }
    const child = spawn(process.execPath, [main, ...args], { cwd, env, stdio: ["pipe", "pipe", "pipe"] })
    // A process that does not read its input may have ended before.
    child.stdin.on("error", () => {})
    if (keepOpen) child.stdin.write(input)
    else child.stdin.end(input)
    let [stdout, stderr] = ["", ""]
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      watch(child, stderr, stdout)
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
      watch(child, stderr, stdout)
    })
    child.on("error", reject)
    child.on("close", (code, signal) => {
      resolve({ code: code ?? (signal === null ? undefined : 128 + constants.signals[signal]), stdout, stderr })
    })
  })

/** A folder that is gone when the tests are. */
export const makeFolder = (): { readonly path: string; readonly remove: () => void } => {
  const path = mkdtempSync(join(tmpdir(), "tandem-cli-"))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

const towns = ["Arden", "Boral", "Cindle", "Dunmere", "Elst", "Farrow", "Gild", "Harth"]
const goods = ["salt", "amber", "wool", "glass", "copper", "tea", "timber", "silk"]

/** A tiny data set in JSON Lines: 8 towns and what they trade in. */
export const writeData = (folder: string): { readonly data: string; readonly corpus: string } => {
  mkdirSync(folder, { recursive: true })
  const [data, corpus] = [join(folder, "data.jsonl"), join(folder, "corpus.jsonl")]
  const passages = towns.map((town, index) => ({
    id: `p${index}`,
    text: `The traders of ${town} sell ${goods[index]}.`,
  }))
  const examples = towns.map((town, index) => ({
    id: `q${index}`,
    query: `What can one buy in ${town}?`,
    positives: [`p${index}`],
    answers: [goods[index]],
  }))
  const lines = (rows: readonly object[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join("")
  writeFileSync(data, lines(examples))
  writeFileSync(corpus, lines(passages))
  return { data, corpus }
}

/** Flags of a training run that takes a moment. */
export const smallRun = (folder: string, out: string): readonly string[] => {
  const { data, corpus } = writeData(join(folder, "data"))
  return [
    ...["dpr", "train", "--data", data, "--corpus", corpus, "--out", out, "--model", "tiny"],
    ...["--tiny-hidden", "16", "--tiny-layers", "1", "--tiny-heads", "2", "--tiny-intermediate", "32"],
    ...["--tiny-vocabulary", "120", "--max-length", "16", "--batch-size", "4", "--threads", "1"],
  ]
}
