import { existsSync } from "node:fs"
import { join } from "node:path"
import { Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { NoRun } from "../Errors.ts"

/** A flag that may be left out. */
export const optional = (name: string, metavar: string, about: string): Flag.Flag<string | undefined> =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(about),
    Flag.map((text): string | undefined => text),
    Flag.withDefault(undefined),
  )

/** `--run`: the folder of a finished run. */
export const runFolder = Flag.String("run").pipe(
  Flag.withMetavar("RUN"),
  Flag.withDescription("folder of a finished run"),
)

/** `--corpus` */
export const corpus = optional("corpus", "F", "passages to search; those of the data where absent")

/** `--format` */
export const format = optional("format", "NAME", "format of the examples, where their content leaves doubt")

/** `--device` */
export const device = Flag.Literals("device", ["cpu", "webgpu", "cuda", "auto"]).pipe(
  Flag.withDescription("where models run (default cpu)"),
  Flag.withDefault("cpu" as const),
)

/** `--threads` */
export const threads = wholeNumber("threads", "threads (default: one for each core)").pipe(
  Flag.map((count): number | undefined => count),
  Flag.withDefault(undefined),
)

/** A flag whose value is 1 or more. */
export function wholeNumber(name: string, about: string): Flag.Flag<number> {
  return Flag.Int(name).pipe(
    Flag.withMetavar("N"),
    Flag.withDescription(about),
    Flag.filter(
      (value) => value >= 1,
      (value) => `a whole number, 1 or more, not ${value}`,
    ),
  )
}

/** Refuses a folder that holds no finished run. */
export const openRun = (run: string): Effect.Effect<void, NoRun> =>
  Effect.suspend(() =>
    existsSync(join(run, "retriever"))
      ? Effect.void
      : Effect.fail(
          new NoRun({
            message: `${run} holds no finished run`,
            file: run,
            field: "--run",
            expected: "the --out folder of tandem dpr train, with retriever/ in it",
            found: existsSync(run) ? "a folder without it" : "nothing",
          }),
        ),
  )
