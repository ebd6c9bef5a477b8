import type { DatagenEvent, DatagenSettings } from "@tandem/datagen"
import type { Estimate, EstimatedCalls } from "@tandem/datagen/node/EstimateCost"
import { Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { readConfig } from "../ConfigFile.ts"
import { printJson, printLine } from "../Console.ts"
import { makeProgress } from "../Progress.ts"
import { quantity } from "../ProgressText.ts"
import { leftTable } from "../Tables.ts"
import { json, quiet } from "./OutputFlags.ts"

const config = Flag.String("config").pipe(
  Flag.withMetavar("F"),
  Flag.withDescription("settings of the pipeline, a YAML or JSON file"),
)

const dryRun = Flag.Boolean("dry-run").pipe(
  Flag.withDescription("say what would be asked and what it would cost, and ask nothing"),
  Flag.withDefault(false),
)

const resume = Flag.Boolean("resume").pipe(
  Flag.withDescription("go on in a folder that holds data or the beginning of some; nothing is paid for again"),
  Flag.withDefault(false),
)

const compat = Flag.Boolean("compat").pipe(
  Flag.withDescription("draw what is shown as the Python pipeline does, leaks included"),
  Flag.withDefault(false),
)

/** `tandem data generate` */
export const dataGenerate = Command.make(
  "generate",
  { config, dryRun, resume, compat, json, quiet },
  Effect.fnUntraced(function* ({
    config: file,
    dryRun: dry,
    resume: resumed,
    compat: draws,
    json: machine,
    quiet: silent,
  }) {
    const { readDatagenSettings } = yield* Effect.promise(() => import("@tandem/datagen"))
    const settings = yield* Effect.flatMap(readConfig(file), (content) => readDatagenSettings(content, file))
    const { estimateFromDocuments, generateFromDocuments } = yield* Effect.promise(() => import("@tandem/data"))
    const { observe, end } = observing({ silent, machine, settings })
    const flags = { observe, resume: resumed, compat: draws }
    if (dry) {
      const estimate = yield* Effect.ensuring(estimateFromDocuments(settings, flags), end)
      if (machine) return printJson({ event: "estimate", ...estimate })
      return printLine(estimateTable(estimate))
    }
    const made = yield* Effect.ensuring(generateFromDocuments(settings, flags), end)
    if (machine) return
    printLine(
      leftTable([
        ["chunks", quantity(made.chunks)],
        ["fit for questions", quantity(made.suitable)],
        ["conversations, chunk shown", quantity(made.success)],
        ["conversations, retrieval failed", quantity(made.failed)],
        ["rejected", quantity(made.rejected)],
        ["rows", quantity(made.rows)],
        ["tokens read, written", `${quantity(made.tokens.input)}, ${quantity(made.tokens.output)}`],
        ["cost", made.cost.toFixed(4)],
        ["folder", settings.path.output_dir],
      ]),
    )
  }),
).pipe(
  Command.withDescription("Make training conversations out of a folder of documents"),
  Command.withExamples([
    { command: "tandem data generate --config data.yaml --dry-run", description: "What it would cost" },
    { command: "tandem data generate --config data.yaml --resume", description: "Go on after a stop" },
  ]),
)

interface Watched {
  readonly silent: boolean
  readonly machine: boolean
  readonly settings: DatagenSettings
}

/** Events as JSON on standard output, or progress on standard error; rejected items are told to programs alone. */
const observing = ({ silent, machine, settings }: Watched) => {
  const progress = makeProgress({ stream: process.stderr, quiet: silent })
  const priced = Object.entries(settings.cost).some(([key, value]) => key !== "budget" && value !== 0)
  const draw = (event: DatagenEvent): void => {
    if (event.event === "warning") progress.observe(event)
    if (event.event !== "phase") return
    const { spent, ...phase } = event
    progress.observe({ ...phase, ...(priced && spent !== undefined ? { note: `${spent.toFixed(4)} spent` } : {}) })
  }
  return {
    observe: (event: DatagenEvent) =>
      Effect.sync(() => {
        if (machine) printJson(event)
        draw(event)
      }),
    end: Effect.sync(progress.end),
  }
}

const estimateTable = ({ chunks, small, large, cost, mostCost }: Estimate): string => {
  const row = (name: string, { model, calls, kept, inputTokens, outputTokens, cost: own }: EstimatedCalls) => [
    `${name} (${model})`,
    `${quantity(calls - kept)} calls${kept === 0 ? "" : `, ${quantity(kept)} more are kept`}, about ${quantity(inputTokens)} tokens read and ${quantity(outputTokens)} written, ${own.toFixed(4)}`,
  ]
  return leftTable([
    ["chunks", quantity(chunks)],
    row("small model", small),
    row("large model", large),
    ["cost", `about ${cost.toFixed(4)}, at most ${mostCost.toFixed(4)} without corrections`],
  ])
}
