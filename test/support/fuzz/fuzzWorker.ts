// Damages the files of one target, round after round, and says what came of it. Where it is stands in shared memory, so that
// whoever started it can tell a round that does not end.
import { parentPort, workerData } from "node:worker_threads"
import { Random } from "@tandem/random"
import { mutated } from "./Mutation.ts"
import { removeScratch } from "./Scratch.ts"
import { changedParts, type Target } from "./Target.ts"
import { fuzzTargets } from "./Targets.ts"

/** What a worker is told. */
export interface FuzzTask {
  readonly target: number
  readonly from: number
  readonly to: number
  /** One 32-bit integer: the round under way. */
  readonly round: SharedArrayBuffer
}

/** What came of a stretch of rounds. */
export interface FuzzOutcome {
  readonly target: string
  readonly refused: number
  readonly same: number
  /** Rounds whose result was another one, by the sentence that permits it. */
  readonly others: Readonly<Record<string, number>>
  /** What should not have happened. */
  readonly failures: readonly string[]
}

/** Memory that a round may take beyond what was taken before, in MiB: files here are smaller than 0.1. */
const proportion = 256

const isTagged = (error: unknown): error is { readonly _tag: string } & Error =>
  error instanceof Error && "_tag" in error && typeof error._tag === "string"

const peak = (): number => process.resourceUsage().maxRSS / 1024

const fuzz = async (target: Target, { from, to, round }: FuzzTask): Promise<FuzzOutcome> => {
  const at = new Int32Array(round)
  const before = await target.read(target.files)
  const paths = [...target.files.keys()]
  const others: Record<string, number> = {}
  const failures: string[] = []
  let [refused, same] = [0, 0]
  for (let count = from; count < to; count++) {
    Atomics.store(at, 0, count)
    const random = Random.fromSeed(`${target.name} ${count}`)
    const path = random.choice(paths)
    const whole = target.files.get(path)!
    const mutation = mutated(whole, target.head?.(path) ?? [0, whole.length], random)
    const what = `${target.name}, round ${count}, ${path} at ${mutation.at} to ${mutation.end}`
    const memory = peak()
    try {
      const after = await target.read(new Map([...target.files, [path, mutation.bytes]]))
      const changed = changedParts(before, after)
      const reason = changed.length === 0 ? undefined : target.permits({ ...mutation, path, before, after, changed })
      if (changed.length === 0) same++
      else if (reason === undefined) failures.push(`${what}: read without a word, and ${changed.join(", ")} is another`)
      else others[reason] = (others[reason] ?? 0) + 1
    } catch (error) {
      if (!isTagged(error)) failures.push(`${what}: ${error instanceof Error ? error.stack : String(error)}`)
      else if (!target.names(error, path)) failures.push(`${what}: the error does not name the file: ${error.message}`)
      else refused++
    }
    const grown = peak() - memory
    if (count > from && grown > proportion) failures.push(`${what}: took ${Math.round(grown)} MiB`)
  }
  return { target: target.name, refused, same, others, failures }
}

const task: FuzzTask = workerData
const target = (await fuzzTargets())[task.target]
if (target === undefined) throw new Error(`there is no target ${task.target}`)
try {
  parentPort?.postMessage(await fuzz(target, task))
} finally {
  removeScratch()
}
