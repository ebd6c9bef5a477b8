import { Worker } from "node:worker_threads"
import type { FuzzOutcome, FuzzTask } from "./fuzzWorker.ts"
import { removeScratch } from "./Scratch.ts"
import { fuzzTargets } from "./Targets.ts"

/** A round takes milliseconds. One that takes this long hangs: of the process' own time, or of the clock's. */
const longestRound = { own: 60_000, clock: 600_000 }

const ownTime = (): number => process.cpuUsage().user / 1000

/** Names of the targets, in their order. */
export const targetNames = async (): Promise<readonly string[]> => {
  const names = (await fuzzTargets()).map(({ name }) => name)
  removeScratch()
  return names
}

/**
 * Runs rounds `[from, to)` of a target in a thread that is ended where a round does not end by itself. A hang, a crash and
 * memory beyond 1 GiB are failures of the outcome, like every other.
 */
export const runFuzz = (target: number, from: number, to: number): Promise<FuzzOutcome> => {
  const { promise, resolve, reject } = Promise.withResolvers<FuzzOutcome>()
  const round = new SharedArrayBuffer(4)
  const at = new Int32Array(round)
  const workerData: FuzzTask = { target, from, to, round }
  const worker = new Worker(new URL("./fuzzWorker.ts", import.meta.url), {
    workerData,
    resourceLimits: { maxOldGenerationSizeMb: 1024 },
  })
  let last = { round: -1, own: ownTime(), clock: performance.now() }
  const watch = setInterval(() => {
    const now = Atomics.load(at, 0)
    if (now !== last.round) last = { round: now, own: ownTime(), clock: performance.now() }
    else if (ownTime() - last.own > longestRound.own || performance.now() - last.clock > longestRound.clock) {
      reject(new Error(`round ${now} of target ${target} does not end`))
      void worker.terminate()
    }
  }, 1000)
  worker.on("message", (outcome: FuzzOutcome) => resolve(outcome))
  worker.on("error", (error) =>
    reject(new Error(`round ${at[0]} of target ${target} ended the thread`, { cause: error })),
  )
  worker.on("exit", () => reject(new Error(`round ${at[0]} of target ${target} ended the thread without a word`)))
  return promise.finally(() => clearInterval(watch))
}
