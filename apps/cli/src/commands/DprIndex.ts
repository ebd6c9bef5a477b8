import { Command } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { observing } from "../Progress.ts"
import { quantity } from "../ProgressText.ts"
import { leftTable } from "../Tables.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json, quiet } from "./OutputFlags.ts"
import { device, format, openRun, optional, runFolder, threads } from "./RunFlags.ts"

const corpus = optional(
  "corpus",
  "F|DIR",
  "passages, or a folder of documents, to index; those that the run was trained with where absent",
)
const out = optional("out", "DIR", "folder for the index (default: the run's own index, which is replaced)")

/** `tandem dpr index` */
export const dprIndex = Command.make(
  "index",
  { run: runFolder, corpus, format, out, device, threads, json, quiet },
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, ...flags }) {
    yield* openRun(flags.run)
    const { indexDpr } = yield* Effect.promise(() => import("@tandem/dpr"))
    const { run, device: place, ...rest } = flags
    const { observe, end } = observing(silent)
    const index = yield* indexDpr({ run, device: place, ...withoutAbsent(rest) }, { observe }).pipe(
      Effect.ensuring(end),
    )
    if (machine) return printJson(index)
    printLine(
      leftTable([
        ["passages", quantity(index.passages)],
        ["index", index.store],
      ]),
    )
  }),
).pipe(
  Command.withDescription("Index passages with a trained retriever, for search"),
  Command.withExamples([
    { command: "tandem dpr index --run run --corpus new.jsonl", description: "In place of the run's own index" },
    { command: "tandem dpr index --run run --corpus new.jsonl --out new-store", description: "Beside it" },
  ]),
)
