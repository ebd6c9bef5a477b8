import type { Observe, RunEvent } from "@tandem/runs/RunEvent"
import * as Effect from "effect/Effect"
import { withFlags } from "./FlagWords.ts"
import { clock, figure, fit, printable, quantity, rate } from "./ProgressText.ts"

/** Where progress is drawn; `process.stderr` is one. */
export interface ProgressStream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

/** Options of `makeProgress`. */
export interface ProgressOptions {
  readonly stream: ProgressStream
  readonly quiet: boolean
  /** Milliseconds that only move forward. */
  readonly now?: () => number
  /** Optimizer steps of the whole run, once they are known. */
  readonly plannedSteps?: () => number | undefined
}

/** Draws what happens. */
export interface Progress {
  readonly observe: (event: RunEvent) => void
  /** Writes a line of its own above the live line. */
  readonly note: (line: string) => void
  /** Ends the live line. */
  readonly end: () => void
}

/** Milliseconds between two drawings of the live line, and between two lines where there is no terminal. */
const liveEvery = 100
const plainEvery = 5000

/**
 * Progress on standard error. In a terminal one live line, redrawn in place and cut to its width; elsewhere a line
 * every few seconds. Evaluations, checkpoints and warnings get lines of their own. `quiet` draws nothing.
 */
export const makeProgress = (options: ProgressOptions): Progress => {
  const { stream, quiet, now = () => performance.now() } = options
  if (quiet) return { observe: () => {}, note: () => {}, end: () => {} }
  const live = stream.isTTY === true
  const training = trainingLine(now, options.plannedSteps ?? (() => undefined))
  let phase: { readonly name: string; readonly began: number; readonly first: number } | undefined
  let drawnAt = Number.NEGATIVE_INFINITY
  let current = ""

  const clear = () => {
    if (live && current !== "") stream.write("\r\u001b[2K")
  }
  const line = (text: string) => {
    clear()
    // Longer than the terminal is wide is no harm here: the line stays where it is.
    stream.write(`${printable(text)}\n`)
    if (live && current !== "") stream.write(fit(current, stream.columns))
  }
  /** Shows how things stand; without `force`, only if the last time is long enough ago. */
  const show = (text: string, force: boolean) => {
    const due = now() - drawnAt >= (live ? liveEvery : plainEvery)
    if (!due && !force) return
    drawnAt = now()
    if (live) {
      current = text
      stream.write(`\r\u001b[2K${fit(text, stream.columns)}`)
    } else {
      stream.write(`${text}\n`)
    }
  }
  const settle = () => {
    if (live && current !== "") stream.write("\n")
    drawnAt = Number.NEGATIVE_INFINITY
    current = ""
  }

  const observe = (event: RunEvent): void => {
    switch (event.event) {
      case "phase": {
        const fresh = phase?.name !== event.name
        if (fresh) phase = { name: event.name, began: now(), first: event.done ?? 0 }
        // Where lines stay, one that only says that counting begins is left out.
        const begins = fresh && (live || event.done === undefined)
        const ends = event.done !== undefined && event.done === event.total
        show(phaseLine(event, phase ?? { began: now(), first: 0 }, now()), begins || ends)
        return
      }
      case "step":
        phase = undefined
        training.step(event)
        show(training.text(), false)
        return
      case "compile":
        if (event.fallbacks.length > 0) line(`on the CPU: ${event.fallbacks.join(", ")}`)
        return
      case "baseline":
        phase = undefined
        line(`${baselineNames[event.name] ?? event.name}  ${figures(event.metrics)}`)
        return
      case "eval":
        phase = undefined
        training.evaluated(event)
        line(`step ${event.step}  ${figures(event.metrics)}`)
        return
      case "checkpoint":
        line(`step ${event.step}  checkpoint${event.best ? ", the best so far" : ""}`)
        return
      case "resume":
        line(`going on after step ${event.step}`)
        return
      case "warning":
        line(`warning: ${withFlags(event.message)}`)
        return
      case "done":
        phase = undefined
        if (training.started()) show(training.text(true), true)
        settle()
        if (event.reason === "early stop")
          line(`step ${event.step}  no better evaluation for a while: training ends early`)
        return
    }
  }
  return { observe, note: line, end: settle }
}

/** Progress of a command as what observes it, and what ends its live line. */
export const observing = (silent: boolean): { readonly observe: Observe; readonly end: Effect.Effect<void> } => {
  const progress = makeProgress({ stream: process.stderr, quiet: silent })
  return { observe: (event) => Effect.sync(() => progress.observe(event)), end: Effect.sync(progress.end) }
}

const baselineNames: Readonly<Record<string, string>> = { bm25: "BM25" }

const figures = (metrics: Readonly<Record<string, number>>): string =>
  Object.entries(metrics)
    .filter(([name]) => name !== "n")
    .map(([name, value]) => `${name} ${figure(value)}`)
    .join("  ")

const phaseLine = (
  { name, done, total, note }: Extract<RunEvent, { event: "phase" }>,
  { began, first }: { readonly began: number; readonly first: number },
  time: number,
): string => {
  if (done === undefined) return `${name} …`
  const seconds = (time - began) / 1000
  const perSecond = seconds > 0.2 ? (done - first) / seconds : 0
  const parts = [total === undefined ? `${name} ${quantity(done)}` : `${name} ${quantity(done)}/${quantity(total)}`]
  if (perSecond > 0) parts.push(`${rate(perSecond)}/s`)
  if (perSecond > 0 && total !== undefined && done < total) parts.push(`${clock((total - done) / perSecond)} left`)
  if (note !== undefined) parts.push(note)
  return parts.join("  ")
}

/** How much of the smoothed values is kept with each step. */
const memory = 0.95

/** The line on training: what was last, smoothed where single steps jump. */
const trainingLine = (now: () => number, plannedSteps: () => number | undefined) => {
  let last: Extract<RunEvent, { event: "step" }> | undefined
  let first: { readonly step: number; readonly at: number } | undefined
  let total: number | undefined
  let loss = 0
  let weight = 0
  let examplesPerSecond = 0
  let metric: readonly [string, number] | undefined
  const left = (): number | undefined => {
    if (last === undefined || first === undefined || total === undefined || last.step === first.step) return undefined
    return ((total - last.step) * (now() - first.at)) / 1000 / (last.step - first.step)
  }
  return {
    started: () => last !== undefined,
    step: (event: Extract<RunEvent, { event: "step" }>) => {
      last = event
      first ??= { step: event.step, at: now() }
      total ??= plannedSteps()
      // Divided by the sum of the weights, so that the first steps are not pulled towards 0.
      weight = memory * weight + (1 - memory)
      loss += ((1 - memory) / weight) * (event.loss - loss)
      examplesPerSecond += ((1 - memory) / weight) * (event.examples / event.seconds - examplesPerSecond)
    },
    evaluated: ({ metric: name, metrics }: Extract<RunEvent, { event: "eval" }>) => {
      if (metrics[name] !== undefined) metric = [name, metrics[name]]
    },
    text: (ended = false): string => {
      if (last === undefined) return ""
      const remaining = ended ? undefined : left()
      return [
        `step ${last.step}${total === undefined ? "" : `/${total}`}`,
        `loss ${loss.toPrecision(4)}`,
        ...(remaining === undefined ? [] : [`${clock(remaining)} left`]),
        ...(metric === undefined ? [] : [`${metric[0]} ${figure(metric[1])}`]),
        `epoch ${last.epoch.toFixed(2)}`,
        `lr ${last.lr === 0 ? "0" : last.lr.toExponential(1)}`,
        `${rate(examplesPerSecond)} examples/s`,
      ].join("  ")
    },
  }
}
