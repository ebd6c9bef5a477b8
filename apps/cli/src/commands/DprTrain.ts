import { readFileSync } from "node:fs"
import { join } from "node:path"
import type { DprEvent } from "@tandem/dpr"
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { isMapping } from "../ConfigFile.ts"
import { printJson, printLine } from "../Console.ts"
import { reportCause } from "../ErrorReport.ts"
import { listen } from "../Interrupt.ts"
import { makeProgress } from "../Progress.ts"
import { shellCommand } from "../ShellCommand.ts"
import { comparisonTable } from "../Tables.ts"
import { flagName, tinyFlags, toFlag, trainFlags } from "../TrainFlags.ts"
import { trainSettings } from "../TrainSettings.ts"
import { json, quiet } from "./OutputFlags.ts"

const setting = Object.fromEntries(
  Object.entries(trainFlags).map(([key, spec]) => [key, toFlag(flagName(key), spec)] as const),
)
const tiny = Object.fromEntries(
  Object.entries(tinyFlags).map(([key, spec]) => [key, toFlag(`tiny-${flagName(key)}`, spec)] as const),
)
const config = Flag.String("config").pipe(
  Flag.withMetavar("F"),
  Flag.withDescription("settings from a YAML or JSON file; flags override them"),
  Flag.map((file): string | undefined => file),
  Flag.withDefault(undefined),
)

/** `tandem dpr train` */
export const dprTrain = Command.make(
  "train",
  { setting, tiny, config, json, quiet },
  Effect.fnUntraced(function* (flags) {
    const settings = yield* trainSettings(flags.setting, flags.tiny, flags.config)
    const { trainDpr } = yield* Effect.promise(() => import("@tandem/dpr"))
    const progress = makeProgress({
      stream: process.stderr,
      quiet: flags.quiet,
      plannedSteps: () => plannedSteps(settings.out),
    })
    let training = false
    let reason = "completed"
    const observe = (event: DprEvent) =>
      Effect.sync(() => {
        if (event.event === "step") training = true
        if (event.event === "done") {
          training = false
          reason = event.reason
        }
        progress.observe(event)
        if (flags.json && machineEvents.has(event.event)) printJson(event)
      })
    const { stopRequested, ended } = yield* listen({
      waits: () => training,
      announce: (waiting) =>
        progress.note(waiting ? "finishing the step, saving … (Ctrl-C again ends at once)" : "ending …"),
    })
    const report = yield* trainDpr(settings, { observe, stopRequested }).pipe(
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
    printLine(`model   ${join(settings.out, "retriever")}`)
    printLine(`index   ${join(settings.out, "store")}`)
    printLine(`report  ${join(settings.out, "report.html")}`)
  }),
).pipe(
  Command.withDescription("Train a dense passage retriever on questions and passages"),
  Command.withExamples([
    {
      command:
        "tandem dpr train --data train.json --dev dev.json --model sentence-transformers/all-MiniLM-L6-v2 --out run",
      description: "Train a pretrained encoder on SQuAD",
    },
    {
      command: "tandem dpr train --data train.jsonl --corpus corpus.jsonl --dev dev.jsonl --model tiny --out run",
      description: "Train a small encoder from scratch on your own questions",
    },
  ]),
)

/** Events that `--json` prints as they come; the last one, `done`, is printed when all files are written. */
const machineEvents: ReadonlySet<string> = new Set(["step", "eval", "checkpoint", "warning"])

/** The steps of the whole run, out of the `config.json` that training writes before its first step. */
const plannedSteps = (run: string): number | undefined => {
  try {
    const value: unknown = JSON.parse(readFileSync(join(run, "config.json"), "utf8"))
    return isMapping(value) && typeof value["steps"] === "number" ? value["steps"] : undefined
  } catch {
    return undefined
  }
}

const resumeCommand = (): string => {
  const given = process.argv.slice(2)
  return shellCommand(["tandem", ...given, ...(given.includes("--resume") ? [] : ["--resume"])])
}
