import type { Graph, Tensor } from "@tandem/onnx"
import { Argument, Command, Flag } from "effect/cli"
import * as Effect from "effect/Effect"
import { printJson, printLine } from "../Console.ts"
import { CheckFailed, InvalidFlag } from "../Errors.ts"
import { gradCheckTable } from "../ModelTables.ts"
import { quantity } from "../ProgressText.ts"
import { json, quiet } from "./OutputFlags.ts"
import { maybe, optional, threads } from "./RunFlags.ts"

const model = Argument.String("model").pipe(
  Argument.withDescription("an ONNX file, a folder that holds one, or a hub id"),
)
const inputs = optional("inputs", "F", "safetensors with values for the model's inputs; the others are made up")
const against = optional(
  "against",
  "F",
  "safetensors of a reference: in.<input>, R, out, loss, w.<parameter>, g.<parameter>",
)
const rtol = maybe(
  Flag.Finite("rtol").pipe(
    Flag.withMetavar("X"),
    Flag.withDescription("largest relative error (default 1e-4 against a reference, 1e-2 without one)"),
    Flag.filter(
      (value) => value > 0,
      (value) => `a number above 0, not ${value}`,
    ),
  ),
)

/** `tandem gradcheck` */
export const gradCheckCommand = Command.make(
  "gradcheck",
  { model, inputs, against, rtol, threads, json, quiet },
  Effect.fnUntraced(function* (flags) {
    const { gradCheck } = yield* Effect.promise(() => import("@tandem/inspection"))
    const { openModelFile, readSafetensorsFile } = yield* Effect.promise(
      () => import("@tandem/models/node/OpenModelFile"),
    )
    const { layer } = yield* Effect.promise(() => import("@tandem/runtime/node/NodeRuntime"))
    const { graph, file } = yield* openModelFile(flags.model)
    const reference = flags.against === undefined ? undefined : yield* readSafetensorsFile(flags.against)
    const given = flags.inputs === undefined ? undefined : inputTensors(yield* readSafetensorsFile(flags.inputs))
    const foreign = [...(given?.keys() ?? [])].find((name) => !graph.inputs.some((input) => input.name === name))
    if (foreign !== undefined) {
      return yield* new InvalidFlag({
        message: `the model has no input ${foreign}`,
        field: "--inputs",
        expected: graph.inputs.map(({ name }) => name).join(", "),
        found: foreign,
      })
    }
    const live = !flags.quiet && process.stderr.isTTY === true
    const report = yield* gradCheck(graph, {
      ...(reference === undefined ? {} : { reference }),
      ...(given === undefined ? {} : { inputs: given }),
      ...(flags.rtol === undefined ? {} : { rtol: flags.rtol }),
      onProgress: (done, total) => {
        if (live) process.stderr.write(`\r\u001b[2K${done === total ? "" : `parameter ${done} of ${total}`}`)
      },
    }).pipe(Effect.provide(layer(flags.threads === undefined ? threadsFor(graph) : { threads: flags.threads })))
    if (flags.json) printJson(report)
    else printLine(gradCheckTable(report))
    if (report.ok) return
    const wrong = report.parameters.filter((parameter) => !parameter.ok).length
    const reasons = [
      ...(wrong > 0 ? [`${counted(wrong, "gradient is", "gradients are")} wrong`] : []),
      ...(report.lossAgrees ? [] : ["the loss differs"]),
      ...(report.unmatched.length > 0
        ? [`${counted(report.unmatched.length, "parameter", "parameters")} found no partner`]
        : []),
      ...(report.ambiguous.length > 0 ? [`${quantity(report.ambiguous.length)} have equal values`] : []),
    ]
    return yield* new CheckFailed({ message: `the check failed: ${reasons.join("; ")}`, file })
  }),
).pipe(
  Command.withDescription("Check a model's gradients, by finite differences or against a reference"),
  Command.withExamples([
    { command: "tandem gradcheck model.onnx", description: "Analytic against numeric derivatives, every parameter" },
    { command: "tandem gradcheck model.onnx --against torch.safetensors", description: "Against PyTorch's gradients" },
  ]),
)

const counted = (count: number, one: string, several: string): string =>
  `${quantity(count)} ${count === 1 ? one : several}`

/** Threads cost small models more time than they save. */
const threadsFor = (graph: Graph): { readonly threads?: number } => {
  const weights = [...graph.initializers.values()].reduce((sum, { data }) => sum + data.length, 0)
  return weights < 1e6 ? { threads: 1 } : {}
}

/** The tensors of a file of inputs: those named `in.…`, without that, or else all. */
const inputTensors = (tensors: ReadonlyMap<string, Tensor>): ReadonlyMap<string, Tensor> => {
  const prefixed = [...tensors].filter(([name]) => name.startsWith("in."))
  return prefixed.length === 0 ? tensors : new Map(prefixed.map(([name, value]) => [name.slice(3), value]))
}
