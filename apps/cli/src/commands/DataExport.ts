import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { noteLine, printJson, printLine } from "../Console.ts"
import { quantity } from "../ProgressText.ts"
import { leftTable } from "../Tables.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { dataConfig, dataSettings } from "./DataSettings.ts"
import { json } from "./OutputFlags.ts"
import { maybe } from "./RunFlags.ts"

const to = Flag.Literals("to", ["axolotl", "chat-template", "trl", "openai", "sharegpt", "ralt", "dpr"]).pipe(
  Flag.withDescription("the format: of a trainer, or dpr for pairs that train a retriever"),
)
const out = Flag.String("out").pipe(Flag.withMetavar("FILE"), Flag.withDescription("the file to write"))

const holdOut = maybe(
  Flag.Finite("hold-out").pipe(
    Flag.withMetavar("X"),
    Flag.withDescription("share of the documents whose rows go into FILE.held-out.jsonl, to measure by (default none)"),
    Flag.filter(
      (value) => value > 0 && value < 1,
      (value) => `a number above 0 and below 1, not ${value}`,
    ),
  ),
)

/** `tandem data export` */
export const dataExport = Command.make(
  "export",
  { config: dataConfig, to, out, holdOut, json },
  Effect.fnUntraced(function* ({ config, json: machine, holdOut: share, ...flags }) {
    const settings = yield* dataSettings(config)
    const { exportData } = yield* Effect.promise(() => import("@tandem/data"))
    const done = yield* exportData({ settings, ...flags, ...withoutAbsent({ holdOut: share }) })
    if (machine) return printJson(done)
    printLine(
      leftTable([
        ["rows", quantity(done.rows)],
        ["lines", quantity(done.lines)],
        ["file", done.file],
        ...(done.heldOut === undefined
          ? []
          : [["held out", `${quantity(done.heldOut.rows)} rows, ${done.heldOut.file}`]]),
        ...(done.template === undefined ? [] : [["template", done.template]]),
        ["for", done.reader.replaceAll("`", "")],
      ]),
    )
    for (const warning of done.warnings) noteLine(`warning: ${warning.replaceAll("`", "")}`)
  }),
).pipe(
  Command.withDescription("Write training rows for another trainer, or pairs for a retriever"),
  Command.withExamples([
    {
      command: "tandem data export --config data.yaml --to ralt --out rows.jsonl",
      description: "For tandem ralt train, with the template that the model is asked with",
    },
    {
      command: "tandem data export --config data.yaml --to dpr --out pairs.jsonl",
      description: "Questions with their chunks and hard distractors, for tandem dpr train",
    },
  ]),
)
