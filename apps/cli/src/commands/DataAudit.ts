import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { plain, printJson, printLine } from "../Console.ts"
import { CheckFailed } from "../Errors.ts"
import { quantity } from "../ProgressText.ts"
import { leftTable } from "../Tables.ts"
import { withoutAbsent } from "../WithoutAbsent.ts"
import { dataConfig, dataSettings } from "./DataSettings.ts"
import { json } from "./OutputFlags.ts"
import { optional, wholeNumber } from "./RunFlags.ts"

const out = optional("out", "FILE", "the page to write (default: audit.html in the output folder)")
const rows = wholeNumber("rows", "most rows, and most rejected items, on the page (default 200)").pipe(
  Flag.withDefault(200),
)
const seed = Flag.Int("seed").pipe(
  Flag.withMetavar("N"),
  Flag.withDescription("draws rows where there are more (default 0)"),
  Flag.withDefault(0),
)

/** `tandem data audit` */
export const dataAudit = Command.make(
  "audit",
  { config: dataConfig, out, rows, seed, json },
  Effect.fnUntraced(function* ({ config, json: machine, out: file, rows: most, seed: drawn }) {
    const settings = yield* dataSettings(config)
    const { auditData } = yield* Effect.promise(() => import("@tandem/data"))
    const audit = yield* auditData({ settings, most, seed: drawn, ...withoutAbsent({ out: file }) })
    const { counts, reasons, faults, ok } = audit
    if (machine) printJson(audit)
    else {
      printLine(
        leftTable([
          ["rows", quantity(counts.rows)],
          ["success", quantity(counts.success)],
          ["failed", quantity(counts.failed)],
          ["rejected", quantity(counts.rejected)],
          ["page", audit.file],
        ]),
      )
      if (reasons.length > 0)
        printLine(
          `\n${leftTable(reasons.map(({ stage, reason, count }) => [quantity(count), `rejected by ${stage}`, plain(reason)]))}`,
        )
    }
    if (ok) return
    const what = [
      ...faults.map(({ check, count }) => `${check} ${quantity(count)}`),
      ...(counts.untrained === 0 ? [] : [`nothing trained ${quantity(counts.untrained)}`]),
      ...(counts.rows === 0 ? ["no rows"] : []),
    ]
    return yield* new CheckFailed({ message: `the check failed: ${what.join(", ")}`, file: settings.path.output_dir })
  }),
).pipe(
  Command.withDescription("Show generated data as one HTML page, and check what was kept"),
  Command.withExamples([
    {
      command: "tandem data audit --config data.yaml",
      description: "Rows with masks, rejected items, tokens and costs",
    },
  ]),
)
