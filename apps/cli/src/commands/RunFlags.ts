import { existsSync } from "node:fs"
import { join } from "node:path"
import type { EncodingSource } from "@tandem/dpr/OpenEncoders"
import { flagName } from "@tandem/runs/Setting"
import { Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { FlagWithoutEffect, MissingFlag, NoRun } from "../Errors.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"

/** A flag that may be left out; its value is `undefined` then. */
export function maybe<A>(flag: Flag.Flag<A>): Flag.Flag<A | undefined> {
  return flag.pipe(
    Flag.map((value): A | undefined => value),
    Flag.withDefault(undefined),
  )
}

/** A text that may be left out. */
export const optional = (name: string, metavar: string, about: string): Flag.Flag<string | undefined> =>
  maybe(Flag.String(name).pipe(Flag.withMetavar(metavar), Flag.withDescription(about)))

/** `--run`: the folder of a finished run. */
export const runFolder = Flag.String("run").pipe(
  Flag.withMetavar("RUN"),
  Flag.withDescription("folder of a finished run"),
)

/** `--run` where models may stand in its place. */
export const runOrModels = optional("run", "RUN", "folder of a finished run")

/** `--model` and what goes with it, where no run is needed. */
export const modelFlags = {
  model: optional("model", "M", "a model without a run: a folder, a hub id (ID@REVISION), tiny"),
  queryEncoder: optional("query-encoder", "M", "a model that encodes questions"),
  passageEncoder: optional("passage-encoder", "M", "a model that encodes passages"),
  maxLength: maybe(wholeNumber("max-length", "longest text in tokens (default: the model's own, at most 256)")),
  similarity: maybe(
    Flag.Literals("similarity", ["dot", "cosine"]).pipe(
      Flag.withDescription("how a question and a passage are compared (default: as the model's own files say)"),
    ),
  ),
  titles: maybe(
    Flag.Literals("titles", ["pair", "prefix", "none"]).pipe(
      Flag.withDescription("how a passage's title is seen (default: pair for DPR's models, else none)"),
    ),
  ),
}

/** What `--run` and {@link modelFlags} say. */
export interface SourceFlags {
  readonly run: string | undefined
  readonly model: string | undefined
  readonly queryEncoder: string | undefined
  readonly passageEncoder: string | undefined
  readonly maxLength: number | undefined
  readonly similarity: "dot" | "cosine" | undefined
  readonly titles: "pair" | "prefix" | "none" | undefined
}

/** What encodes: the run, which has to have ended, or the models. What has no effect beside it, and neither, is refused. */
export const sourceOf = Effect.fnUntraced(function* ({
  run,
  ...models
}: SourceFlags): Effect.fn.Return<EncodingSource, NoRun | MissingFlag | FlagWithoutEffect> {
  const given = withoutAbsent(models)
  if (run !== undefined) {
    const [idle] = Object.keys(given)
    if (idle !== undefined) {
      return yield* noEffect(flagName(idle), "beside --run, which brings its own models and how they compare texts")
    }
    yield* openRun(run)
    return { run }
  }
  const { model, queryEncoder, passageEncoder } = models
  if (model !== undefined && queryEncoder !== undefined) {
    return yield* noEffect("model", "beside --query-encoder")
  }
  if (model === undefined && (queryEncoder === undefined || passageEncoder === undefined)) {
    return yield* new MissingFlag({
      message: "nothing that encodes texts is named",
      field: "--run",
      expected: "--run RUN, --model M, or --query-encoder M with --passage-encoder M",
    })
  }
  return given
})

const noEffect = (flag: string, because: string): FlagWithoutEffect =>
  new FlagWithoutEffect({
    message: `--${flag} has no effect ${because}`,
    field: `--${flag}`,
    hint: "leave one of the two out",
  })

/** `--questions` */
export const questionsFile = optional("questions", "F", "questions, one a line")

/** `--corpus` */
export const corpus = optional(
  "corpus",
  "F|DIR",
  "passages, or a folder of documents, to search; those of the data where absent",
)

/** `--format` */
export const format = optional("format", "NAME", "format of the examples, where their content leaves doubt")

/** `--device` */
export const device = Flag.Literals("device", ["cpu", "webgpu", "cuda", "auto"]).pipe(
  Flag.withDescription("where models run (default cpu)"),
  Flag.withDefault("cpu" as const),
)

/** `--threads` */
export const threads = maybe(wholeNumber("threads", "threads (default: one for each core)"))

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
