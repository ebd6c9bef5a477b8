// `tandem serve` in a process of its own.
import { type ChildProcess, spawn } from "node:child_process"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

const main = fileURLToPath(new URL("../../apps/cli/src/main.ts", import.meta.url))

export interface Serving {
  readonly url: string
  /** The lines of `--json` so far, as they were written. */
  readonly lines: readonly string[]
  readonly process: ChildProcess
  /** How it ended. */
  readonly ended: Promise<number | null>
}

/** What `program` is started with to run TypeScript. */
export interface Program {
  readonly path: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
}

const node: Program = { path: process.execPath, args: [], env: {} }

/** Starts a server on a free port and waits until it listens; one that ends before rejects with what it wrote. */
export const startServing = (args: readonly string[], program: Program = node): Promise<Serving> =>
  new Promise((resolve, reject) => {
    const child = spawn(program.path, [...program.args, main, "serve", ...args, "--port", "0", "--json"], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...program.env },
    })
    const lines: string[] = []
    let stderr = ""
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text
    })
    const ended = new Promise<number | null>((done) => child.on("close", done))
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines.push(line)
      const { event, url } = JSON.parse(line)
      if (event === "listening") resolve({ url, lines, process: child, ended })
    })
    child.on("error", reject)
    void ended.then((code) => reject(new Error(`ended with ${code}: ${lines.join("\n")}\n${stderr}`)))
  })
