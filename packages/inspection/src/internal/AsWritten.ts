import { Disconnected, findGaps, MissingGradient, NotDifferentiable, type RuleTable } from "@tandem/autodiff"
import { builderOpset, type Graph } from "@tandem/onnx"
import type { RunFailed } from "@tandem/runtime"
import { Effect } from "effect"
import { type GradientError, type InspectionError, InvalidReference } from "../Errors.ts"

/** A text about an operator of ONNX with the operator set of the model's file, which differentiation raised. */
export const withOpset = (model: Graph, op: string, text: string): string =>
  op.includes(".")
    ? text
    : text.replaceAll(`(opset ${builderOpset})`, `(opset ${model.opsets.get("") ?? builderOpset})`)

/** What differentiating a model failed with, in terms of its file. */
export const asWritten =
  (model: Graph) =>
  <E extends InspectionError>(error: E): E | GradientError => {
    if (!(error instanceof MissingGradient || error instanceof NotDifferentiable || error instanceof Disconnected)) {
      return error
    }
    const version = model.opsets.get("")
    const { _tag, op, opset, input, node, tensor, expected, found, hint } = error
    if (op === undefined || op.includes(".") || opset !== builderOpset || version === undefined) return error
    const known = Object.entries({ op, input, node, tensor, expected, found, hint })
    const fields = {
      message: withOpset(model, op, error.message),
      opset: version,
      ...Object.fromEntries(known.filter(([, text]) => text !== undefined)),
    }
    if (_tag === "MissingGradient") return new MissingGradient(fields)
    return _tag === "Disconnected" ? new Disconnected(fields) : new NotDifferentiable(fields)
  }

/**
 * A graph that the runtime does not compile has, as a rule, an operator that only other providers know. Where no gradient
 * leads through that either, this is the better answer.
 */
export const preferGaps =
  (graph: Graph, wrt: readonly string[], rules?: RuleTable) =>
  <A, R>(effect: Effect.Effect<A, InspectionError, R>): Effect.Effect<A, InspectionError, R> =>
    Effect.mapError(effect, (error) => {
      if (error._tag !== "CompileFailed") return error
      const outputs = graph.outputs.map(({ name }) => name)
      const [gap] = findGaps(graph, outputs, wrt, rules)
      if (gap === undefined) return error
      const { node, op, value, reason } = gap
      return new MissingGradient({
        message: `${op} has no gradient towards input ${value ?? ""}: ${reason}`,
        op,
        opset: graph.opsets.get(op.includes(".") ? op.slice(0, op.lastIndexOf(".")) : "") ?? 0,
        node,
        ...(value === undefined ? {} : { input: value }),
      })
    })

/** A graph that compiles and fails on values that were given fails because of them, memory aside. */
export const blameInputs = <A, E, R>(
  effect: Effect.Effect<A, E | RunFailed, R>,
): Effect.Effect<A, E | RunFailed | InvalidReference, R> =>
  Effect.mapError(effect, (error): E | RunFailed | InvalidReference =>
    isRunFailed(error) && !/alloc|memory/i.test(error.message)
      ? new InvalidReference({
          message: `the model does not run on these inputs: ${error.message}`,
          hint: "compare them with the inputs that an inspection of the model names",
        })
      : error,
  )

const isRunFailed = (error: unknown): error is RunFailed =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "RunFailed"
