// One side of a comparison: a process of its own that prepares its work, says that it is ready, and then works a round
// each time it is told to, so that the sides take turns and none holds the machine while another works.
import { type ChildProcessByStdio, spawn } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Readable, Writable } from "node:stream"
import { root } from "../../scripts/support/Workspace.ts"
import type { Prepared } from "./Answer.ts"

/** What a side says of a round. */
export interface Round {
  /** Of one unit of work, such as a step. */
  readonly seconds: number
  /** Numbers that have to agree between the sides, such as losses. */
  readonly values: readonly number[]
  /** The process' peak so far. */
  readonly peakMemoryMiB: number
}

export interface Side extends Prepared {
  readonly versions: Readonly<Record<string, string>>
  /** From the start of the process until it is ready: to the end of its first unit of work. */
  readonly secondsToFirst: number
  /** The process' peak until then. */
  readonly peakMemoryMiB: number
  readonly round: () => Promise<Round>
  /** Ends the process and waits until it has ended. */
  readonly stop: () => Promise<void>
}

/** Starts bench/sides/NAME.ts as the command starts. */
export const ourSide = (name: string, settings: unknown): Promise<Side> => {
  const [before, side] = [join(root, "bench/support/AsCommand.ts"), join(root, "bench/sides", `${name}.ts`)]
  return start(process.execPath, ["--import", before, side, JSON.stringify(settings)])
}

/** Starts bench/peers/NAME.py in a Python environment. */
export const peerSide = (python: string, name: string, settings: unknown): Promise<Side> =>
  start(python, [join(root, "bench/peers", `${name}.py`), JSON.stringify(settings)])

const start = async (command: string, args: readonly string[]): Promise<Side> => {
  const started = performance.now()
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"], cwd: root })
  const ended = once(child, "exit")
  const answers = lines(child)
  const ready = await answers()
  const { products, notes } = ready
  return {
    versions: record(ready["versions"], String),
    secondsToFirst: (performance.now() - started) / 1000,
    peakMemoryMiB: Number(ready["peakMemoryMiB"]),
    ...(Array.isArray(products) ? { products } : {}),
    ...(notes === undefined ? {} : { notes: record(notes, Number) }),
    round: async () => {
      child.stdin.write("round\n")
      const { seconds, values, peakMemoryMiB } = await answers()
      return {
        seconds: Number(seconds),
        values: Array.isArray(values) ? values.map(Number) : [],
        peakMemoryMiB: Number(peakMemoryMiB),
      }
    },
    stop: async () => {
      child.stdin.end()
      await ended
    },
  }
}

interface Answer {
  readonly [name: string]: unknown
  readonly products?: unknown
  readonly notes?: unknown
}

/** A function that waits for the next line and reads it as an object; it fails when the process has ended instead. */
const lines = (child: ChildProcessByStdio<Writable, Readable, null>) => {
  const iterator = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return async (): Promise<Answer> => {
    const { done, value } = await iterator.next()
    if (done === true) throw new Error(`${child.spawnargs.slice(0, 2).join(" ")} ended before it answered`)
    const parsed: unknown = JSON.parse(value)
    return record(parsed, (item) => item)
  }
}

const record = <A>(value: unknown, read: (item: unknown) => A): Readonly<Record<string, A>> =>
  Object.fromEntries(Object.entries(value ?? {}).map(([key, item]) => [key, read(item)]))
