import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { inspectText } from "../ModelTables.ts"
import { json } from "./OutputFlags.ts"
import { wholeNumber } from "./RunFlags.ts"

const model = Argument.String("model").pipe(
  Argument.withDescription("an ONNX file, a folder that holds one, or a hub id"),
)
const batchSize = wholeNumber("batch-size", "rows of the training step that is estimated (default 16)").pipe(
  Flag.withDefault(16),
)
const maxLength = wholeNumber("max-length", "tokens a row of it (default 128)").pipe(Flag.withDefault(128))

/** `tandem inspect` */
export const inspectCommand = Command.make(
  "inspect",
  { model, batchSize, maxLength, json },
  Effect.fnUntraced(function* (flags) {
    const { inspectModel } = yield* Effect.promise(() => import("@tandem/inspection"))
    const { openModelFile } = yield* Effect.promise(() => import("@tandem/models/node/OpenModelFile"))
    const { layer } = yield* Effect.promise(() => import("@tandem/runtime/node/NodeRuntime"))
    const { graph, config, file, others } = yield* openModelFile(flags.model)
    const report = yield* inspectModel(graph, {
      batch: flags.batchSize,
      length: flags.maxLength,
      ...(config === undefined ? {} : { config }),
    }).pipe(Effect.provide(layer()))
    if (flags.json) printJson({ file, ...report })
    else printLine(inspectText(report, file, others))
  }),
).pipe(
  Command.withDescription("Say whether a model can be trained: its parts, weights, gaps, and what a step costs"),
  Command.withExamples([
    { command: "tandem inspect model.onnx", description: "A file" },
    { command: "tandem inspect Xenova/all-MiniLM-L6-v2", description: "A model on the hub" },
  ]),
)
