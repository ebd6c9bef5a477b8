import type { Example, Passage } from "@tandem/datasets"
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
const foreign = Flag.Boolean("foreign").pipe(
  Flag.withDescription(
    "another world, whose questions are in a language of their own: training questions have answers and no passages, and lessons about other things give a retriever and a reader something to begin with",
  ),
  Flag.withDefault(false),
)

/** `tandem world` */
export const world = Command.make(
  "world",
  { seed, out, foreign, json },
  Effect.fnUntraced(function* (flags) {
    const { rows, statistics, files, passages, dev } = yield* flags.foreign ? foreignWorld(flags) : knownWorld(flags)
    const { Bm25 } = yield* Effect.promise(() => import("@tandem/store"))
    const index = Bm25.make(passages)
    const found = dev.filter(({ query, positives }) => positives.includes(index.search(query, 1)[0]?.id ?? ""))
    const recall = found.length / dev.length
    if (flags.json) {
      return printJson({ seed: flags.seed, files, ...statistics, baselines: { bm25: { "recall@1": recall } } })
    }
    printLine(table([...rows.map(([name, count]) => [name, quantity(count)]), ["BM25 recall@1", figure(recall)]]))
    printLine("")
    for (const file of Object.values(files)) printLine(file)
  }),
).pipe(
  Command.withDescription("Write an invented world: passages, training and evaluation questions"),
  Command.withExamples([
    { command: "tandem world --seed 1 --out world", description: "The same seed, the same bytes" },
    { command: "tandem world --foreign --out inns", description: "To train a retriever and a reader together" },
  ]),
)

/** A world in its files, and what is told of it. */
interface Written {
  readonly rows: readonly (readonly [string, number])[]
  readonly statistics: Readonly<Record<string, number>>
  readonly files: object
  readonly passages: readonly Passage[]
  readonly dev: readonly Example[]
}

interface Asked {
  readonly seed: number
  readonly out: string
}

const knownWorld = Effect.fnUntraced(function* ({ seed: drawnBy, out: folder }: Asked) {
  const { makeWorld } = yield* Effect.promise(() => import("@tandem/datasets"))
  const { writeWorld } = yield* Effect.promise(() => import("@tandem/datasets/node/WorldFiles"))
  const made = makeWorld({ seed: drawnBy })
  const { statistics, passages, dev } = made
  return {
    rows: [
      ["passages", statistics.passages],
      ["things", statistics.entities],
      ["relations", statistics.relations],
      ["training questions", statistics.trainingQuestions],
      ["evaluation questions", statistics.evaluationQuestions],
      ["in unseen phrasings", statistics.unseenPhrasings],
    ],
    statistics: { ...statistics },
    files: yield* writeWorld(folder, made),
    passages,
    dev,
  } satisfies Written
})

const foreignWorld = Effect.fnUntraced(function* ({ seed: drawnBy, out: folder }: Asked) {
  const { makeForeignWorld } = yield* Effect.promise(() => import("@tandem/datasets"))
  const { writeForeignWorld } = yield* Effect.promise(() => import("@tandem/datasets/node/WorldFiles"))
  const made = makeForeignWorld({ seed: drawnBy })
  const { statistics, passages, dev } = made
  return {
    rows: [
      ["passages", statistics.passages],
      ["training questions", statistics.trainingQuestions],
      ["evaluation questions", statistics.evaluationQuestions],
      ["in unseen phrasings", statistics.unseenPhrasings],
      ["lessons for a retriever", statistics.retrieverLessons],
      ["lessons for a reader", statistics.readerLessons],
    ],
    statistics: { ...statistics },
    files: yield* writeForeignWorld(folder, made),
    passages,
    dev,
  } satisfies Written
})
