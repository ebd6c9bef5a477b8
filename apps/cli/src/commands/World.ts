import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { figure, quantity } from "../ProgressText.ts"
import { table } from "../Tables.ts"
import { json } from "./OutputFlags.ts"

const seed = Flag.Int("seed").pipe(
  Flag.withMetavar("N"),
  Flag.withDescription("decides the world (default 0)"),
  Flag.filter(
    (value) => value >= 0,
    (value) => `a whole number, 0 or more, not ${value}`,
  ),
  Flag.withDefault(0),
)
const out = Flag.String("out").pipe(Flag.withMetavar("DIR"), Flag.withDescription("folder for the files"))

/** `tandem world` */
export const world = Command.make(
  "world",
  { seed, out, json },
  Effect.fnUntraced(function* (flags) {
    const { makeWorld } = yield* Effect.promise(() => import("@tandem/datasets"))
    const { writeWorld } = yield* Effect.promise(() => import("@tandem/datasets/node/WorldFiles"))
    const { Bm25 } = yield* Effect.promise(() => import("@tandem/store"))
    const made = makeWorld({ seed: flags.seed })
    const files = yield* writeWorld(flags.out, made)
    const index = Bm25.make(made.passages)
    const found = made.dev.filter(({ query, positives }) => positives.includes(index.search(query, 1)[0]?.id ?? ""))
    const recall = found.length / made.dev.length
    if (flags.json) {
      return printJson({ seed: flags.seed, files, ...made.statistics, baselines: { bm25: { "recall@1": recall } } })
    }
    const { statistics } = made
    printLine(
      table([
        ["passages", quantity(statistics.passages)],
        ["things", quantity(statistics.entities)],
        ["relations", quantity(statistics.relations)],
        ["training questions", quantity(statistics.trainingQuestions)],
        ["evaluation questions", quantity(statistics.evaluationQuestions)],
        ["in unseen phrasings", quantity(statistics.unseenPhrasings)],
        ["BM25 recall@1", figure(recall)],
      ]),
    )
    printLine("")
    for (const file of Object.values(files)) printLine(file)
  }),
).pipe(
  Command.withDescription("Write an invented world: passages, training and evaluation questions"),
  Command.withExamples([
    { command: "tandem world --seed 1 --out world", description: "The same seed, the same bytes" },
  ]),
)
