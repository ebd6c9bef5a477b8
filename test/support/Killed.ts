// Kills training processes at chosen moments, and lets the run that they leave go on.
import assert from "node:assert/strict"
import type { ChildProcess } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { readAll, tandem } from "./TrainingProcess.ts"

/** Numbers below 1, the same on every run of the test. */
export const randomNumbers = (seed: number): (() => number) => {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
}

/** When to kill a process: some milliseconds after its start, after a step, or after training, as it saves the model. */
export type Moment =
  | { readonly after: "start" | "training"; readonly delay: number }
  | { readonly after: "step"; readonly delay: number; readonly which: (step: number, seen: number) => boolean }

export const beforeTraining = (random: () => number): Moment => ({ after: "start", delay: random() * 1500 })

/** After the first to eighth step of a process. */
export const betweenSteps = (random: () => number): Moment => {
  const wait = 1 + Math.floor(random() * 8)
  return { after: "step", delay: random() * 5, which: (_, seen) => seen === wait }
}

/** Around the writing of a checkpoint, which comes every five steps. */
export const atCheckpoint = (random: () => number): Moment => {
  const wait = 1 + Math.floor(random() * 8)
  return { after: "step", delay: random() * 15, which: (step, seen) => seen >= wait && step % 5 === 0 }
}

export const afterTraining = (random: () => number): Moment => ({ after: "training", delay: random() * 40 })

/** Starts a process, kills it at the moment, checks what it left, and tells the last step that it reported. */
const killOnce = async (flags: readonly string[], out: string, moment: Moment): Promise<number> => {
  const killSoon = (child: ChildProcess) => setTimeout(() => child.kill("SIGKILL"), moment.delay)
  let seen = 0
  const { code, signal, events, stderr } = await tandem(
    [...flags, "--resume"],
    ({ event, step = 0 }, child) => {
      if (event !== "step") return
      seen += 1
      if (moment.after === "step" && moment.which(step, seen)) killSoon(child)
    },
    (child) => {
      if (moment.after === "start") killSoon(child)
      if (moment.after === "training") {
        child.stderr?.on("data", (text: string) => void (text.includes("saving the model") && killSoon(child)))
      }
    },
  )
  // A kill that waits for no step may come too late: then the next process repeats what follows training.
  assert.ok(signal === "SIGKILL" || (moment.after !== "step" && code === 0), stderr)
  if (existsSync(out)) readAll(out)
  // The next process takes this lock of a dead one over. Other moments may lie before the lock or after it.
  if (moment.after === "step") assert.ok(existsSync(join(out, ".lock")))
  return events.findLast((event) => event.event === "step")?.step ?? 0
}

/** Kills at all moments in turn, then lets the run end. Returns the last steps before the kills. */
export const killAndResume = async (flags: readonly string[], out: string, moments: readonly Moment[]) => {
  const reached: number[] = []
  for (const moment of moments) reached.push(await killOnce(flags, out, moment))
  const { code, stderr } = await tandem([...flags, "--resume"])
  assert.equal(code, 0, stderr)
  return reached
}

/** The `report.json` of a run. */
export const reportOf = (out: string) => JSON.parse(readFileSync(join(out, "report.json"), "utf8"))
