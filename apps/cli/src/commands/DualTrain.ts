import { join } from "node:path"
import { DualSettings } from "@tandem/dual/rounds/DualSettings"
import { settingsOf } from "@tandem/runs/Setting"
import { Command } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { observing } from "../Progress.ts"
import { leftTable } from "../Tables.ts"
import { flagsOf } from "../TrainFlags.ts"
import { settingsWithFile } from "../TrainSettings.ts"
import { config } from "./ConfigFlag.ts"
import { json, quiet } from "./OutputFlags.ts"

/** Figures of a system that the table shows, where there are any. */
const shown = ["recall@1", "mrr@10", "closedBook.nll", "retrieved.nll", "retrieved.exactMatch", "gold.nll"]

/** `tandem dual train` */
export const dualTrain = Command.make(
  "train",
  { ...flagsOf(settingsOf(DualSettings)), config, json, quiet },
  Effect.fnUntraced(function* ({ config: file, json: machine, quiet: silent, ...flags }) {
    const settings = yield* settingsWithFile({ name: "dual", schema: DualSettings }, flags, file)
    const { trainDual } = yield* Effect.promise(() => import("@tandem/dual/rounds/TrainDual"))
    const { observe, end } = observing(silent)
    const report = yield* Effect.ensuring(trainDual(settings, { observe }), end)
    if (machine) return printJson({ event: "done", run: settings.out, report })
    const columns = shown.filter((name) => report.rows.some(({ metrics }) => name in metrics))
    printLine(
      leftTable([
        ["round", "trained", ...columns],
        ...report.rows.map(({ round, trained, metrics }) => [
          `${round}`,
          trained,
          ...columns.map((name) => metrics[name]?.toFixed(3) ?? ""),
        ]),
      ]),
    )
    printLine(leftTable([["report", join(settings.out, "report.html")]]))
  }),
).pipe(
  Command.withDescription(
    "Train a reader on what a retriever finds and the retriever by the reader, round after round",
  ),
  Command.withExamples([
    {
      command:
        "tandem dual train --data train.jsonl --dev dev.jsonl --corpus corpus.jsonl --retriever run --generator HuggingFaceTB/SmolLM2-135M-Instruct --rounds 2 --ralt-lora 16:32 --out dual",
      description: "Two rounds from a trained retriever and a model of the hub",
    },
  ]),
)
