import { ScoreSettings } from "@tandem/dual/lsr/ScoreSettings"
import type { LabelledPicks } from "@tandem/objectives"
import { settingsOf } from "@tandem/runs/Setting"
import { Command } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { observing } from "../Progress.ts"
import { leftTable } from "../Tables.ts"
import { flagsOf } from "../TrainFlags.ts"
import { settingsFrom } from "../TrainSettings.ts"
import { json, quiet } from "./OutputFlags.ts"

/** `tandem lsr score` */
export const lsrScore = Command.make(
  "score",
  { ...flagsOf(settingsOf(ScoreSettings)), json, quiet },
  Effect.fnUntraced(function* ({ json: machine, quiet: silent, ...flags }) {
    const settings = yield* settingsFrom(ScoreSettings, flags)
    const { scoreLsr } = yield* Effect.promise(() => import("@tandem/dual/lsr/ScoreLsr"))
    const { observe, end } = observing(silent)
    const counts = yield* Effect.ensuring(scoreLsr(settings, { observe }), end)
    if (machine) return printJson(counts)
    printLine(
      leftTable([
        ["questions", `${counts.questions}`],
        ["scores", `${counts.pairs}`],
        ["file", counts.out],
        ...(counts.labelled.questions === 0 ? [] : [["named passage", picks(counts.labelled)]]),
      ]),
    )
  }),
).pipe(
  Command.withDescription("Have a language model score the passages that a retriever finds, for lsr train --scores"),
  Command.withExamples([
    {
      command:
        "tandem lsr score --data train.jsonl --corpus corpus.jsonl --retriever run --generator reader --k 10 --out scores.jsonl",
      description: "Ten passages of each question, scored by a fine-tuned reader",
    },
  ]),
)

/** How often the passage comes first that the data name, where it is among those that were found. */
const picks = ({ questions, retriever, teacher }: LabelledPicks): string =>
  `first for ${retriever} of ${questions} questions by the retriever, for ${teacher} by the teacher`
