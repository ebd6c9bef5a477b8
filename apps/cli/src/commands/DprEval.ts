import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { makeProgress } from "../Progress.ts"
import { metricsTable } from "../Tables.ts"
import { json, quiet } from "./OutputFlags.ts"
import { corpus, device, format, openRun, runFolder, threads } from "./RunFlags.ts"

const data = Flag.String("data").pipe(
  Flag.withMetavar("F"),
  Flag.withDescription("examples to evaluate; may be repeated"),
  Flag.atLeast(1),
)

/** `tandem dpr eval` */
export const dprEval = Command.make(
  "eval",
  { run: runFolder, data, corpus, format, device, threads, json, quiet },
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, ...options }) {
    yield* openRun(options.run)
    const { evaluateDpr } = yield* Effect.promise(() => import("@tandem/dpr"))
    const progress = makeProgress({ stream: process.stderr, quiet: silent })
    const metrics = yield* evaluateDpr(given(options), {
      observe: (event) => Effect.sync(() => progress.observe(event)),
    }).pipe(Effect.ensuring(Effect.sync(progress.end)))
    if (machine) printJson(metrics)
    else printLine(metricsTable(metrics))
  }),
).pipe(Command.withDescription("Measure a trained retriever on questions"))

/** The options without those that were not given. */
const given = <const O extends { readonly run: string; readonly data: readonly string[]; readonly device: Device }>({
  corpus: passages,
  format: name,
  threads: count,
  ...rest
}: O & {
  readonly corpus: string | undefined
  readonly format: string | undefined
  readonly threads: number | undefined
}) => ({
  ...rest,
  ...(passages === undefined ? {} : { corpus: passages }),
  ...(name === undefined ? {} : { format: name }),
  ...(count === undefined ? {} : { threads: count }),
})

type Device = "cpu" | "webgpu" | "cuda" | "auto"
