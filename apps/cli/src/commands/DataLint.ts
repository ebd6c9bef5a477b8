import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { plain, printJson, printLine } from "../Console.ts"
import { CheckFailed } from "../Errors.ts"
import { quantity } from "../ProgressText.ts"
import { leftTable, table } from "../Tables.ts"
import { json } from "./OutputFlags.ts"
import { wholeNumber } from "./RunFlags.ts"

const data = Flag.String("data").pipe(
  Flag.withMetavar("F"),
  Flag.withDescription("training rows: texts in segments, or conversations; may be repeated"),
  Flag.atLeast(1),
)
const sequenceLength = wholeNumber("sequence-length", "most tokens of a row")
const tokenizer = Flag.String("tokenizer").pipe(
  Flag.withMetavar("T"),
  Flag.withDescription("the trained model's tokenizer: a folder or a hub id (ID@REVISION)"),
)

/** Findings that are printed one by one. */
const printed = 20

/** `tandem data lint` */
export const dataLint = Command.make(
  "lint",
  { data, sequenceLength, tokenizer, json },
  Effect.fnUntraced(function* ({ json: machine, ...flags }) {
    const { lintData } = yield* Effect.promise(() => import("@tandem/data"))
    const { lintKinds } = yield* Effect.promise(() => import("@tandem/datagen"))
    const report = yield* lintData(flags)
    const { rows, tokens, counts, findings } = report
    if (machine) printJson(report)
    else {
      printLine(
        table([
          ["rows", quantity(rows)],
          ["tokens", quantity(tokens.total)],
          ["trained tokens", quantity(tokens.trained)],
          ["median row", quantity(tokens.median)],
          ["95 % of rows at most", quantity(tokens.p95)],
          ["longest row", quantity(tokens.longest)],
        ]),
      )
      if (findings.length > 0) printLine("")
      for (const { file, line, kind, detail } of findings.slice(0, printed))
        printLine(plain(`${file}:${line}  ${kind}  ${detail}`))
      const all = Object.entries(counts)
      const names: Readonly<Record<string, string>> = lintKinds
      if (all.length > 0)
        printLine(`\n${leftTable(all.map(([kind, count]) => [quantity(count), kind, names[kind] ?? ""]))}`)
    }
    if (report.ok) return
    const errors = [...new Set(findings.flatMap(({ level, kind }) => (level === "error" ? [kind] : [])))]
    return yield* new CheckFailed({
      message: rows === 0 ? "the check failed: there are no rows" : `the check failed: ${errors.join(", ")}`,
      file: flags.data.join(", "),
    })
  }),
).pipe(
  Command.withDescription("Check training rows under a tokenizer: lengths, special tokens, masks"),
  Command.withExamples([
    {
      command: "tandem data lint --data rows.jsonl --sequence-length 4096 --tokenizer mistralai/Mistral-7B-v0.1",
      description: "Before a trainer drops rows without a word",
    },
  ]),
)
