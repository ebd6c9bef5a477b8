import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { FlagWithoutEffect } from "../Errors.ts"
import { observing } from "../Progress.ts"
import { metricsTable } from "../Tables.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json, quiet } from "./OutputFlags.ts"
import { corpus, device, format, modelFlags, runOrModels, sourceOf, threads } from "./RunFlags.ts"

const data = Flag.String("data").pipe(
  Flag.withMetavar("F"),
  Flag.withDescription("examples to evaluate; may be repeated"),
  Flag.atLeast(1),
)
const bm25 = Flag.Boolean("bm25").pipe(
  Flag.withDescription("measure BM25, which compares words, in place of a run or a model"),
  Flag.withDefault(false),
)

/** `tandem dpr eval` */
export const dprEval = Command.make(
  "eval",
  { run: runOrModels, ...modelFlags, bm25, data, corpus, format, device, threads, json, quiet },
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, bm25: words, ...flags }) {
    const { data: files, corpus: passages, format: name, device: place, threads: count, ...source } = flags
    const encodes = words ? yield* nothingBeside(source) : yield* sourceOf(source)
    const { evaluateDpr, evaluateWords } = yield* Effect.promise(() => import("@tandem/dpr"))
    const { observe, end } = observing(silent)
    const read = { data: files, ...withoutAbsent({ corpus: passages, format: name }) }
    const measured =
      encodes === undefined
        ? evaluateWords(read, { observe })
        : evaluateDpr({ ...encodes, ...read, device: place, ...withoutAbsent({ threads: count }) }, { observe })
    const metrics = yield* Effect.ensuring(measured, end)
    if (machine) printJson(metrics)
    else printLine(metricsTable(metrics))
  }),
).pipe(
  Command.withDescription("Measure a trained retriever, or a model without a run, on questions"),
  Command.withExamples([
    { command: "tandem dpr eval --run run --data dev.jsonl --corpus corpus.jsonl", description: "A finished run" },
    {
      command: "tandem dpr eval --model Xenova/all-MiniLM-L6-v2 --data dev.jsonl --corpus corpus.jsonl",
      description: "What a run on this model has to beat",
    },
  ]),
)

const nothingBeside = (source: object): Effect.Effect<undefined, FlagWithoutEffect> => {
  const given = Object.values(source).some((value) => value !== undefined)
  return given
    ? Effect.fail(
        new FlagWithoutEffect({
          message: "--bm25 measures no run and no model",
          field: "--bm25",
          hint: "leave it out, or the flags on run and model",
        }),
      )
    : Effect.succeed(undefined)
}
