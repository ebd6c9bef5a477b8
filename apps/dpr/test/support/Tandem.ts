import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after } from "node:test"
import { fileURLToPath } from "node:url"

/** The command line as users start it. */
export const program: readonly string[] = [
  process.execPath,
  fileURLToPath(new URL("../../../cli/src/main.ts", import.meta.url)),
]

/** How a process ended and what it wrote. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface StartOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>
  /** Called with everything on standard output as it comes. */
  readonly onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void
}

/** Runs a command to its end. */
export const start = (
  [command = "", ...args]: readonly string[],
  { environment = {}, onOutput }: StartOptions = {},
): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...environment },
    })
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      onOutput?.(stdout, (signal) => child.kill(signal))
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, stdout, stderr }))
  })

/** Runs `tandem` with arguments. */
export const tandem = (args: readonly string[], options: StartOptions = {}): Promise<Ended> =>
  start([...program, ...args], options)

/** The objects that a command wrote, one a line. Anything else on standard output fails the test. */
export const jsonLines = ({ stdout }: Ended) =>
  stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))

/** `tandem … --json`, which has to end well. */
export const succeed = async (...args: readonly string[]) => {
  const ended = await tandem([...args, "--json"])
  assert.equal(ended.code, 0, `${args.join(" ")}\n${ended.stderr}\n${ended.stdout.slice(-600)}`)
  return jsonLines(ended)
}

/** `tandem dpr train` on one thread; the events. */
export const trained = (...args: readonly string[]) => succeed("dpr", "train", "--threads", "1", ...args)

/** The losses of a run's events, all of which have to be finite. */
export const losses = (events: readonly { readonly event: string; readonly loss?: unknown }[]): readonly number[] => {
  const values = events.filter(({ event }) => event === "step").map(({ loss }) => Number(loss))
  assert.ok(values.length > 0 && values.every((value) => Number.isFinite(value) && value > 0), `losses ${values}`)
  return values
}

/** A folder that goes away after the file's tests. */
export const scratchFolder = (): string => {
  const folder = mkdtempSync(join(tmpdir(), "tandem-dpr-"))
  after(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** A file below test/golden. */
export const golden = (path: string): string =>
  fileURLToPath(new URL(`../../../../test/golden/${path}`, import.meta.url))
