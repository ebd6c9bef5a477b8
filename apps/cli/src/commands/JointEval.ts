import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { observing } from "../Progress.ts"
import { metricsTable } from "../Tables.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json, quiet } from "./OutputFlags.ts"
import { device, format, maybe, openRun, optional, runFolder, threads, wholeNumber } from "./RunFlags.ts"

const data = Flag.String("data").pipe(
  Flag.withMetavar("F"),
  Flag.withDescription("questions with answers; may be repeated"),
  Flag.atLeast(1),
)
const kEval = maybe(wholeNumber("k-eval", "passages of a question (default: as in the run's evaluations)"))
const answers = Flag.Int("answers").pipe(
  Flag.withMetavar("N"),
  Flag.withDescription("questions that answers are written for, 0 for none (default 100)"),
  Flag.filter(
    (count) => count >= 0,
    (count) => `a whole number, 0 or more, not ${count}`,
  ),
  Flag.withDefault(100),
)
const seed = Flag.Int("seed").pipe(Flag.withDescription("draws random passages (default 0)"), Flag.withDefault(0))

/** `tandem joint eval` */
export const jointEval = Command.make(
  "eval",
  {
    run: runFolder,
    data,
    corpus: optional("corpus", "F", "passages that the data's ids speak of, where the data do not bring them"),
    format,
    store: optional("store", "DIR", "another index that the run's passage encoder made"),
    kEval,
    answers,
    without: optional("without", "RUN", "a run fine-tuned with --closed-book-share 1, to stand beside"),
    seed,
    device,
    threads,
    json,
    quiet,
  },
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, ...flags }) {
    yield* openRun(flags.run)
    const { evaluateJoint } = yield* Effect.promise(() => import("@tandem/joint"))
    const { observe, end } = observing(silent)
    const { run, data: files, answers: written, seed: drawn, device: place, ...rest } = flags
    const settings = { run, data: files, answers: written, seed: drawn, device: place, ...withoutAbsent(rest) }
    const { n, k, retrieval, variants } = yield* Effect.ensuring(evaluateJoint(settings, { observe }), end)
    if (machine) return printJson({ n, k, ...retrieval, ...variants })
    const named = Object.entries(variants).flatMap(([variant, figures]) =>
      Object.entries(figures).map(([name, value]) => [`${variant}.${name}`, value] as const),
    )
    printLine(metricsTable({ n, ...retrieval, ...Object.fromEntries(named) }))
  }),
).pipe(
  Command.withDescription("Measure what a joint run finds, and what it answers without and with passages"),
  Command.withExamples([
    { command: "tandem joint eval --run joint --data dev.jsonl --corpus corpus.jsonl", description: "A finished run" },
  ]),
)
