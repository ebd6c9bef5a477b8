import { join } from "node:path"
import type { Tuned, TunePlan } from "@tandem/tune"
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { isMapping, readConfig } from "../ConfigFile.ts"
import { noteLine, printJson, printLine } from "../Console.ts"
import { observing } from "../Progress.ts"
import { quantity } from "../ProgressText.ts"
import { shellCommand } from "../ShellCommand.ts"
import { comparisonTable, leftTable } from "../Tables.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { json, quiet } from "./OutputFlags.ts"
import { device, maybe, threads, wholeNumber } from "./RunFlags.ts"

const flags = {
  folder: Argument.String("dir").pipe(Argument.withDescription("a folder of documents")),
  model: Flag.String("model").pipe(
    Flag.withMetavar("M"),
    Flag.withDescription("the encoder to start from: a folder, a hub id (ID@REVISION), tiny or tiny:SEED"),
  ),
  out: Flag.String("out").pipe(Flag.withMetavar("RUN"), Flag.withDescription("the run folder")),
  minutes: maybe(wholeNumber("minutes", "how long it may take, as far as that can be told before (default 20)")),
  epochs: maybe(wholeNumber("epochs", "times that all questions are seen (default 2, of a tiny model 10)")),
  chunkSize: maybe(wholeNumber("chunk-size", "most tokens of a passage (default 200, or what the encoder reads)")),
  questions: maybe(
    Flag.String("questions").pipe(
      Flag.withMetavar("F"),
      Flag.withDescription(
        "settings of `tandem data generate`, whose models write the questions (default headings and sentences)",
      ),
    ),
  ),
  perPassage: maybe(wholeNumber("per-passage", "most questions of a passage (default 2)")),
  reader: maybe(
    Flag.String("reader").pipe(
      Flag.withMetavar("M"),
      Flag.withDescription(
        "a language model that learns to answer the questions from what is found: a folder, a hub id (ID@REVISION), tiny; needs --questions, whose model writes the answers",
      ),
    ),
  ),
  heldOut: maybe(
    Flag.Finite("held-out").pipe(
      Flag.withMetavar("X"),
      Flag.withDescription("share of the documents to measure by (default 0.15)"),
      Flag.filter(
        (value) => value > 0 && value < 1,
        (value) => `a number above 0 and below 1, not ${value}`,
      ),
    ),
  ),
  batchSize: maybe(wholeNumber("batch-size", "questions in a batch (default 32)")),
  seed: maybe(Flag.Int("seed").pipe(Flag.withMetavar("N"), Flag.withDescription("decides all draws (default 0)"))),
  resume: Flag.Boolean("resume").pipe(
    Flag.withDescription("go on with a run that was interrupted"),
    Flag.withDefault(false),
  ),
}

/** `tandem tune` */
export const tuneCommand = Command.make(
  "tune",
  { ...flags, device, threads, json, quiet },
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, device: place, questions: config, ...given }) {
    const { folder, model, out, resume, ...rest } = given
    const { tune } = yield* Effect.promise(() => import("@tandem/tune"))
    const { observe, end } = observing(silent)
    const planned = (plan: TunePlan) =>
      Effect.andThen(
        end,
        Effect.sync(() => {
          if (machine) printJson({ event: "plan", ...plan })
          else if (!silent) noteLine(planText(plan))
        }),
      )
    const questions = config === undefined ? undefined : yield* askingSettings(config, folder, out)
    const settings = { folder, model, out, resume, device: place, ...withoutAbsent({ ...rest, questions }) }
    const tuned = yield* Effect.ensuring(tune(settings, { observe, planned }), end)
    if (machine) return printJson({ event: "done", run: out, ...tuned })
    printLine(comparisonTable(tuned.report))
    if (tuned.reader !== undefined) printLine(`The reader: ${comparisonTable(tuned.reader)}`)
    printLine(leftTable(outcome(out, folder, tuned)))
  }),
).pipe(
  Command.withDescription(
    "Tune a retriever, and a reader, on a folder of documents: questions, training, measures and index",
  ),
  Command.withExamples([
    {
      command: "tandem tune notes --model sentence-transformers/all-MiniLM-L6-v2 --out run",
      description: "From a pretrained encoder",
    },
    { command: "tandem tune notes --model tiny --minutes 5 --out run", description: "From nothing, in five minutes" },
    {
      command:
        "tandem tune notes --model sentence-transformers/all-MiniLM-L6-v2 --questions data.yaml --reader HuggingFaceTB/SmolLM2-135M-Instruct --out run",
      description: "And a reader, on questions and answers that a model writes",
    },
  ]),
)

/** The data pipeline that a file describes, for documents and folders of this command. */
const askingSettings = Effect.fnUntraced(function* (file: string, folder: string, out: string) {
  const { readDatagenSettings } = yield* Effect.promise(() => import("@tandem/datagen"))
  const content = yield* readConfig(file)
  const path = { ...(isMapping(content["path"]) ? content["path"] : {}), input_dir: folder, output_dir: out }
  return yield* readDatagenSettings({ ...content, path }, file)
})

const planText = ({ documents, passages, questions, heldOut, steps, seconds, reader }: TunePlan): string =>
  `${quantity(passages)} passages of ${quantity(documents)} documents, ${quantity(questions)} questions to train with and ` +
  `${quantity(heldOut)} to measure by: ${quantity(steps)} steps${reader === undefined ? "" : readerText(reader)}, ` +
  `about ${minutesOf(seconds)} in all`

const readerText = ({ steps, seconds, questions, heldOut }: NonNullable<TunePlan["reader"]>): string =>
  ` of the retriever; then ${quantity(steps)} of the reader on ${quantity(questions)} answers, measured by ` +
  `${quantity(heldOut)}, about ${minutesOf(seconds)} of the time`

const minutesOf = (seconds: number): string =>
  seconds < 90 ? `${Math.max(1, Math.round(seconds))} seconds` : `${Math.round(seconds / 60)} minutes`

const outcome = (out: string, folder: string, { index, reader }: Tuned): readonly (readonly [string, string])[] => [
  ["model", join(out, "retriever")],
  ...(reader === undefined ? [] : ([["reader", join(out, "reader/generator")]] as const)),
  ["report", join(out, reader === undefined ? "report.html" : "tune/report.html")],
  ...(index === undefined
    ? []
    : ([
        ["index", `${index.store}, ${quantity(index.passages)} passages`],
        ["to search it", shellCommand(["tandem", "dpr", "search", "--run", out, "your question"])],
        ["after changes", shellCommand(["tandem", "store", "add", folder, "--run", out])],
        ...(reader === undefined
          ? ([["with a reader", shellCommand(["tandem", "serve", "--run", "READER", "--retriever", out])]] as const)
          : ([
              ["to ask it", shellCommand(["tandem", "ask", "--run", out, "your question"])],
              ["to serve it", shellCommand(["tandem", "serve", "--run", out])],
            ] as const)),
      ] as const)),
]
