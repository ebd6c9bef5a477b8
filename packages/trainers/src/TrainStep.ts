import {
  Disconnected,
  differentiate,
  gradientName,
  influences,
  MissingGradient,
  NotDifferentiable,
} from "@tandem/autodiff"
import { type Graph, InvalidGraph, neededRows, staticDims, type Tensor } from "@tandem/onnx"
import { type Buffer, type CompileFailed, type Executable, type RunFailed, Runtime } from "@tandem/runtime"
import { Effect, type Scope } from "effect"
import { InvalidSettings } from "./Errors.ts"
import { kernels } from "./Kernels.ts"
import { evenParts } from "./Optimize.ts"
import type { Batch, Program } from "./Program.ts"
import { isLargeTable, type ResidentState, scalarOutputs } from "./TrainState.ts"

/** A differentiated and compiled program. */
export interface TrainStep {
  /**
   * One forward and backward pass: fills the state's gradients and returns the loss and the program's other scalars.
   * `draw` names the dropout masks; equal numbers draw equal masks.
   */
  readonly run: (
    batch: Batch,
    draw: { seed: number; step: number },
  ) => Effect.Effect<{ readonly loss: number; readonly metrics: Readonly<Record<string, number>> }, RunFailed>
  readonly executable: Executable
}

/** Differentiates a program by the state's trainable parameters and compiles it; lives as long as the scope. */
export const makeTrainStep = Effect.fnUntraced(function* (
  program: Program,
  state: ResidentState,
): Effect.fn.Return<
  TrainStep,
  CompileFailed | RunFailed | InvalidSettings | DifferentiationError,
  Runtime | Scope.Scope
> {
  const runtime = yield* Runtime
  const { gradients: differentiated } = yield* withGradients(
    program,
    new Map(state.trainable.map((name) => [name, state.weights[name]!])),
  )
  const executable = yield* runtime.compile(differentiated, { masks: program.dropout.map(({ input }) => input) })
  const masks: Buffer[] = []
  for (const { input } of program.dropout) {
    const dims = staticDims(program.graph.inputs.find((value) => value.name === input)?.dims) ?? []
    masks.push(yield* runtime.zeros("bool", dims))
  }
  const { into, addRows } = yield* gradientBuffers(differentiated, state)
  const only = [...scalarOutputs(program.graph), ...Object.keys(into)]
  const used = Object.fromEntries(
    program.graph.inputs.flatMap(({ name }) => {
      const buffer = state.weights[name]
      return buffer === undefined ? [] : [[name, buffer] as const]
    }),
  )
  const dropped = Object.fromEntries(program.dropout.map(({ input }, index) => [input, masks[index]!]))
  const parts = evenParts(masks, runtime.device.threads)
  const drawing = (draw: { seed: number; step: number }) =>
    parts.map((places) => ({
      buffers: { masks: places.map((place) => masks[place]!) },
      argument: { ...draw, places, rates: places.map((place) => program.dropout[place]!.rate) },
    }))
  const run: TrainStep["run"] = (batch, draw) =>
    Effect.gen(function* () {
      if (masks.length > 0) yield* runtime.callEach(kernels.masks, drawing(draw))
      const outputs = yield* executable.run({ ...used, ...dropped, ...batch.tensors }, { into, only })
      yield* addRows
      const scalars = Object.entries(outputs).map(([name, value]) => [name, Number(value.data[0])] as const)
      return {
        loss: scalars.find(([name]) => name === program.loss)?.[1] ?? Number.NaN,
        metrics: Object.fromEntries(scalars.filter(([name]) => name !== program.loss)),
      }
    })
  return { run, executable }
})

/** Where a graph's gradients go, and what puts those that come by rows into their tables. */
const gradientBuffers = Effect.fnUntraced(function* (
  graph: Graph,
  { trainable, gradients, touched }: ResidentState,
): Effect.fn.Return<
  { readonly into: Readonly<Record<string, Buffer>>; readonly addRows: Effect.Effect<unknown, RunFailed> },
  RunFailed,
  Runtime | Scope.Scope
> {
  const runtime = yield* Runtime
  const into: Record<string, Buffer> = {}
  const dims = (name: string): readonly number[] | undefined =>
    staticDims(graph.outputs.find((value) => value.name === name)?.dims)
  const tables: { gradient: Buffer; touched: Buffer; rows: Buffer; updates: Buffer; dense: boolean }[] = []
  const whole: Buffer[] = []
  for (const [index, name] of trainable.entries()) {
    const output = gradientName(name)
    const gradient = gradients[index]!
    const marks = touched[index]
    const dense = dims(output) !== undefined
    if (dense) into[output] = gradient
    if (marks === undefined) continue
    const [rowDims, updateDims] = [dims(`${output}.rows`), dims(`${output}.updates`)]
    if (rowDims === undefined || updateDims === undefined) {
      whole.push(marks)
      continue
    }
    const rows = yield* runtime.zeros("int32", rowDims)
    const updates = yield* runtime.zeros("float32", updateDims)
    into[`${output}.rows`] = rows
    into[`${output}.updates`] = updates
    tables.push({ gradient, touched: marks, rows, updates, dense })
  }
  if (tables.length + whole.length === 0) return { into, addRows: Effect.void }
  const buffers = {
    gradients: tables.map((table) => table.gradient),
    touched: tables.map((table) => table.touched),
    rows: tables.map((table) => table.rows),
    updates: tables.map((table) => table.updates),
    whole,
  }
  return { into, addRows: runtime.call(kernels.addRows, buffers, { dense: tables.map(({ dense }) => dense) }) }
})

/** A program with its gradients. */
export type DifferentiatedProgram = Program & { readonly gradients: Graph }

/**
 * The program, differentiated by the trained parameters if it was not yet: what `makeTrainStep` compiles. A trainer calls
 * it on the first program of a run, so that what cannot be trained is refused before anything is written.
 */
export const withGradients = Effect.fnUntraced(function* (
  program: Program,
  trained: ReadonlyMap<string, Pick<Tensor, "dims">>,
): Effect.fn.Return<DifferentiatedProgram, InvalidSettings | DifferentiationError> {
  if (program.gradients !== undefined) return { ...program, gradients: program.gradients }
  const trainable = [...trained.keys()]
  const reached = new Set(influences(program.graph, program.loss, trainable))
  const lost = trainable.find((name) => !reached.has(name))
  if (lost !== undefined) {
    return yield* new InvalidSettings({
      message: `the loss does not depend on ${lost}, so it cannot be trained`,
      tensor: lost,
      hint: "freeze it by name",
    })
  }
  const byRows = [...trained].flatMap(([name, { dims }]) => (isLargeTable(dims) ? [name] : []))
  return { ...program, gradients: yield* differentiateProgram(program, trainable, byRows) }
})

/** Why a program cannot be differentiated. */
export type DifferentiationError = MissingGradient | Disconnected | NotDifferentiable | InvalidGraph

/**
 * The program's graph with the gradient of its loss by every name in `trainable` as a further output, that of look-ups
 * in the tables of `byRows` by rows. Rows that the loss never reads are not computed (`neededRows`).
 */
export const differentiateProgram = (
  program: Program,
  trainable: readonly string[],
  byRows: readonly string[] = [],
): Effect.Effect<Graph, DifferentiationError> =>
  Effect.suspend(() => {
    try {
      const { graph, loss, recompute } = program
      const saving = recompute === undefined ? {} : { recompute }
      return Effect.succeed(differentiate(neededRows(graph), { loss, wrt: trainable, byRows, ...saving }))
    } catch (cause) {
      return isDifferentiationError(cause) ? Effect.fail(cause) : Effect.die(cause)
    }
  })

const isDifferentiationError = (cause: unknown): cause is DifferentiationError =>
  [MissingGradient, Disconnected, NotDifferentiable, InvalidGraph].some((kind) => cause instanceof kind)
