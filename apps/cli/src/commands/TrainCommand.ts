import type { RunEvent } from "@tandem/runs/RunEvent"
import { settingsOf } from "@tandem/runs/Setting"
import type { TrainApp } from "@tandem/runs/TrainApp"
import type { TrainSettings } from "@tandem/runs/TrainSettings"
import { Command } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { reportCause } from "../ErrorReport.ts"
import { withFlags } from "../FlagWords.ts"
import { listen } from "../Interrupt.ts"
import { plannedSteps } from "../PlannedSteps.ts"
import { makeProgress } from "../Progress.ts"
import { shellCommand } from "../ShellCommand.ts"
import { comparisonTable, leftTable } from "../Tables.ts"
import { flagsOf } from "../TrainFlags.ts"
import { type GivenFlags, trainSettings } from "../TrainSettings.ts"
import { config } from "./ConfigFlag.ts"
import { json, quiet } from "./OutputFlags.ts"

/** `tandem NAME train` of an app: flags and defaults are those of its schema. */
export const trainCommand = <S extends TrainSettings>(app: TrainApp<S>) => {
  const given = flagsOf(settingsOf(app.schema))
  return Command.make("train", { ...given, config, json, quiet }, (flags) => runTraining(app, flags)).pipe(
    Command.withDescription(app.description),
    Command.withExamples([...app.examples]),
  )
}

const runTraining = Effect.fnUntraced(function* <S extends TrainSettings>(
  app: TrainApp<S>,
  flags: GivenFlags & { readonly config: string | undefined; readonly json: boolean; readonly quiet: boolean },
) {
  const { settings, ...repeated } = yield* trainSettings(app, flags, flags.config)
  const run = yield* Effect.promise(app.load)
  const progress = makeProgress({
    stream: process.stderr,
    quiet: flags.quiet,
    plannedSteps: () => plannedSteps(settings.out),
  })
  let training = false
  let reason = "completed"
  const observe = (event: RunEvent) =>
    Effect.sync(() => {
      if (event.event === "step") training = true
      if (event.event === "done") {
        training = false
        reason = event.reason
        settled()
      }
      progress.observe(event)
      if (flags.json && machineEvents.has(event.event)) printJson(inFlags(event))
    })
  const { stopRequested, ended, settled } = yield* listen({
    waits: () => training,
    announce: (waiting) =>
      progress.note(waiting ? "finishing the step, saving … (Ctrl-C again ends at once)" : "ending …"),
  })
  const report = yield* run(settings, { observe, stopRequested, ...repeated }).pipe(
    Effect.raceFirst(Effect.andThen(ended, Effect.interrupt)),
    Effect.ensuring(Effect.sync(progress.end)),
    Effect.onExit((exit) =>
      Effect.sync(() => {
        const interrupted = exit._tag === "Failure" && reportCause(exit.cause).exitCode === 130
        if (interrupted && !flags.quiet) progress.note(`to go on:  ${resumeCommand()}`)
      }),
    ),
  )
  if (flags.json) return printJson({ event: "done", step: report.steps, reason, run: settings.out, report })
  printLine(comparisonTable(report))
  printLine(leftTable(app.outcome(settings)))
})

/** The event with flags in place of the settings that its words name. */
const inFlags = (event: RunEvent): RunEvent =>
  event.event === "warning" ? { ...event, message: withFlags(event.message) } : event

/** Events that `--json` prints as they come; the last one, `done`, is printed when all files are written. */
const machineEvents: ReadonlySet<string> = new Set(["baseline", "step", "eval", "checkpoint", "refresh", "warning"])

const resumeCommand = (): string => {
  const given = process.argv.slice(2)
  return shellCommand(["tandem", ...given, ...(given.includes("--resume") ? [] : ["--resume"])])
}
