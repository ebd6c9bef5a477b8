// Runs a program and keeps what it printed.
import { spawn } from "node:child_process"
import { join } from "node:path"
import { root } from "./Workspace.ts"

export interface CommandResult {
  readonly status: number
  /** Standard output and error in the order in which they came. */
  readonly output: string
  readonly stdout: string
}

export interface CommandOptions {
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
  /** Ends the program after this time; the status is then 124. */
  readonly timeoutSeconds?: number
}

/** Runs a program to its end. A program that cannot be started has status 127. */
export function runCommand(
  command: string,
  args: ReadonlyArray<string>,
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? root,
      env: options.env ?? process.env,
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32",
    })
    let output = ""
    let stdout = ""
    let timedOut = false
    const seconds = options.timeoutSeconds ?? 900
    const timer = setTimeout(() => {
      timedOut = true
      child.kill("SIGKILL")
    }, seconds * 1000)
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text
      output += text
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      output += text
    })
    child.on("error", (error) => {
      clearTimeout(timer)
      resolve({ status: 127, output: `${command}: ${error.message}`, stdout })
    })
    child.on("close", (code) => {
      clearTimeout(timer)
      if (timedOut) output += `\nended after ${seconds} s`
      resolve({ status: timedOut ? 124 : (code ?? 1), output, stdout })
    })
  })
}

/** The path of a program that a development dependency installed. */
export function installedProgram(name: string): string {
  return join(root, "node_modules", ".bin", process.platform === "win32" ? `${name}.cmd` : name)
}

/** Calls `work` for every item with at most `limit` at a time; results come in the order of the items. */
export async function inParallel<A, B>(
  items: ReadonlyArray<A>,
  limit: number,
  work: (item: A) => Promise<B>,
): Promise<ReadonlyArray<B>> {
  const results = new Map<number, B>()
  const queue = items.entries()
  const worker = async () => {
    for (const [index, item] of queue) results.set(index, await work(item))
  }
  await Promise.all(Array.from({ length: limit }, worker))
  return [...results.entries()].sort(([a], [b]) => a - b).map(([, result]) => result)
}
