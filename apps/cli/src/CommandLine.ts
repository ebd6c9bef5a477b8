import * as NodeServices from "@effect/platform-node/NodeServices"
import { dprTrainApp } from "@tandem/dpr/TrainApp"
import { lsrTrainApp } from "@tandem/dual/lsr/LsrTrainApp"
import { raltTrainApp } from "@tandem/dual/TrainApp"
import { jointTrainApp } from "@tandem/joint/TrainApp"
import { CliConfig, CliOutput, Command, GlobalFlag } from "effect/cli"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { noteLine, printJson } from "./Console.ts"
import { askCommand } from "./commands/Ask.ts"
import { dataAudit } from "./commands/DataAudit.ts"
import { dataExport } from "./commands/DataExport.ts"
import { dataGenerate } from "./commands/DataGenerate.ts"
import { dataLint } from "./commands/DataLint.ts"
import { doctor } from "./commands/Doctor.ts"
import { dprEncode } from "./commands/DprEncode.ts"
import { dprEval } from "./commands/DprEval.ts"
import { dprIndex } from "./commands/DprIndex.ts"
import { dprSearch } from "./commands/DprSearch.ts"
import { dualTrain } from "./commands/DualTrain.ts"
import { exportCommand } from "./commands/Export.ts"
import { generateCommand } from "./commands/Generate.ts"
import { gradCheckCommand } from "./commands/GradCheck.ts"
import { inspectCommand } from "./commands/Inspect.ts"
import { jointEval } from "./commands/JointEval.ts"
import { lsrScore } from "./commands/LsrScore.ts"
import { mcpCommand } from "./commands/Mcp.ts"
import { raltEval } from "./commands/RaltEval.ts"
import { raltPrepare } from "./commands/RaltPrepare.ts"
import { serveCommand } from "./commands/Serve.ts"
import { storeAdd } from "./commands/StoreAdd.ts"
import { trainCommand } from "./commands/TrainCommand.ts"
import { tuneCommand } from "./commands/Tune.ts"
import { world } from "./commands/World.ts"
import { type ErrorReport, errorJson, renderError, reportCause } from "./ErrorReport.ts"
import type { ExitCode } from "./ExitCodes.ts"

const dpr = Command.make("dpr").pipe(
  Command.withDescription("Dense passage retrieval"),
  Command.withSubcommands([trainCommand(dprTrainApp), dprEval, dprSearch, dprIndex, dprEncode]),
)

const ralt = Command.make("ralt").pipe(
  Command.withDescription("Language models that answer with retrieved passages"),
  Command.withSubcommands([trainCommand(raltTrainApp), raltEval, raltPrepare]),
)

const lsr = Command.make("lsr").pipe(
  Command.withDescription("Retrievers that a language model teaches"),
  Command.withSubcommands([trainCommand(lsrTrainApp), lsrScore]),
)

const dual = Command.make("dual").pipe(
  Command.withDescription("A reader and a retriever that train each other in turn"),
  Command.withSubcommands([dualTrain]),
)

const joint = Command.make("joint").pipe(
  Command.withDescription("A retriever and a language model, trained together"),
  Command.withSubcommands([trainCommand(jointTrainApp), jointEval]),
)

const store = Command.make("store").pipe(
  Command.withDescription("Indexes of passages"),
  Command.withSubcommands([storeAdd]),
)

const data = Command.make("data").pipe(
  Command.withDescription("Training data out of documents"),
  Command.withSubcommands([dataGenerate, dataAudit, dataExport, dataLint]),
)

const tandem = Command.make("tandem").pipe(
  Command.withDescription(
    "Train retrievers and language models in TypeScript, on any Hugging Face ONNX encoder or decoder",
  ),
  Command.withSubcommands([
    dpr,
    ralt,
    lsr,
    dual,
    joint,
    data,
    store,
    tuneCommand,
    askCommand,
    generateCommand,
    serveCommand,
    mcpCommand,
    exportCommand,
    inspectCommand,
    gradCheckCommand,
    world,
    doctor,
  ]),
)

/** Help and version go to standard output; where no command was given, help goes where errors go. */
const presenter = CliOutput.layerPresenter({
  present: (event) => {
    if (event._tag === "InvalidInvocation") return Effect.void
    if (event._tag === "Help" && event.reason === "Implicit") {
      return Effect.sync(() => noteLine(CliOutput.defaultFormatter().formatHelpDoc(event.helpDoc)))
    }
    return CliOutput.defaultPresenter.present(event)
  },
})

const services = Layer.mergeAll(
  NodeServices.layer,
  presenter,
  CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] }),
)

/** Runs a command line and says how it ended; errors have been reported. */
export const runCommandLine = async (args: readonly string[], version: string): Promise<ExitCode> => {
  const program = Command.runWith(tandem, { version })(args)
  const exit = await Effect.runPromiseExit(Effect.provide(program, services))
  if (Exit.isSuccess(exit)) return 0
  const report = reportCause(exit.cause)
  announce(report, args)
  return report.exitCode
}

/** On standard error for people; as JSON on standard output where `--json` is among the arguments. */
const announce = (report: ErrorReport, args: readonly string[]): void => {
  const flags = args.slice(0, args.includes("--") ? args.indexOf("--") : args.length)
  const machine = flags.includes("--json")
  // A failed check has printed its report, which says all that a program wants to know.
  if (machine && report.tag === "CheckFailed") return
  // The events of a training run name their kind; so does its error.
  if (machine) printJson(flags[1] === "train" ? { event: "error", ...errorJson(report) } : errorJson(report))
  if (!machine || report.stack !== undefined) noteLine(renderError(report))
}
