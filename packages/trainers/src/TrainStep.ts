import {
  Disconnected,
  differentiate,
  gradientName,
  influences,
  MissingGradient,
  NotDifferentiable,
} from "@tandem/autodiff"
import { type Graph, InvalidGraph, neededRows, staticDims, type Tensor, type Value } from "@tandem/onnx"
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
  return stepOf(runtime, executable, {
    loss: program.loss,
    scalars: scalarOutputs(program.graph),
    weights: Object.fromEntries(
      program.graph.inputs.flatMap(({ name }) => {
        const buffer = state.weights[name]
        return buffer === undefined ? [] : [[name, buffer] as const]
      }),
    ),
    sites: program.dropout.map(({ input, rate }) => ({ input, rate, dims: dimsOf(program.graph.inputs, input) ?? [] })),
    gradients: gradientBuffers(differentiated, state),
  })
})

/** What a step keeps of its program: the graphs themselves would be there once for each shape of a batch. */
interface StepParts {
  readonly loss: string
  readonly scalars: readonly string[]
  readonly weights: Readonly<Record<string, Buffer>>
  readonly sites: readonly DropoutSite[]
  readonly gradients: GradientBuffers
}

interface DropoutSite {
  readonly input: string
  readonly rate: number
  readonly dims: readonly number[]
}

/**
 * Masks, and gradients that come by rows, have memory while the step runs: a run over batches of many shapes would else
 * keep that of each.
 */
const stepOf = (
  runtime: Runtime["Service"],
  executable: Executable,
  { loss, scalars, weights, sites, gradients }: StepParts,
): TrainStep => ({
  executable,
  run: (batch, draw) =>
    Effect.gen(function* () {
      const masks = yield* drawMasks(runtime, sites, draw)
      const { into, addRows } = yield* rowBuffers(runtime, gradients)
      const only = [...scalars, ...Object.keys(into)]
      const outputs = yield* executable.run({ ...weights, ...masks, ...batch.tensors }, { into, only })
      yield* addRows
      const found = Object.entries(outputs).map(([name, value]) => [name, Number(value.data[0])] as const)
      return {
        loss: found.find(([name]) => name === loss)?.[1] ?? Number.NaN,
        metrics: Object.fromEntries(found.filter(([name]) => name !== loss)),
      }
    }).pipe(Effect.scoped),
})

const drawMasks = Effect.fnUntraced(function* (
  runtime: Runtime["Service"],
  sites: readonly DropoutSite[],
  draw: { readonly seed: number; readonly step: number },
): Effect.fn.Return<Readonly<Record<string, Buffer>>, RunFailed, Scope.Scope> {
  if (sites.length === 0) return {}
  const masks = yield* Effect.forEach(sites, ({ dims }) => runtime.zeros("bool", dims), { concurrency: "unbounded" })
  yield* runtime.callEach(
    kernels.masks,
    evenParts(masks, runtime.device.threads).map((places) => ({
      buffers: { masks: places.map((place) => masks[place]!) },
      argument: { ...draw, places, rates: places.map((place) => sites[place]!.rate) },
    })),
  )
  return Object.fromEntries(sites.map(({ input }, index) => [input, masks[index]!]))
})

/** Where a graph's gradients go. */
interface GradientBuffers {
  readonly dense: Readonly<Record<string, Buffer>>
  /** Gradients by rows, and the tables that they are added up in. */
  readonly tables: readonly RowTable[]
  /** Of tables whose gradient comes as a whole alone: which rows of it may differ from 0. */
  readonly whole: readonly Buffer[]
}

interface RowTable {
  readonly output: string
  readonly rowDims: readonly number[]
  readonly updateDims: readonly number[]
  readonly gradient: Buffer
  readonly touched: Buffer
  readonly dense: boolean
}

const gradientBuffers = (graph: Graph, { trainable, gradients, touched }: ResidentState): GradientBuffers => {
  const dense: Record<string, Buffer> = {}
  const tables: RowTable[] = []
  const whole: Buffer[] = []
  for (const [index, name] of trainable.entries()) {
    const output = gradientName(name)
    const gradient = gradients[index]!
    const marks = touched[index]
    const isDense = dimsOf(graph.outputs, output) !== undefined
    if (isDense) dense[output] = gradient
    if (marks === undefined) continue
    const rowDims = dimsOf(graph.outputs, `${output}.rows`)
    const updateDims = dimsOf(graph.outputs, `${output}.updates`)
    if (rowDims === undefined || updateDims === undefined) whole.push(marks)
    else tables.push({ output, rowDims, updateDims, gradient, touched: marks, dense: isDense })
  }
  return { dense, tables, whole }
}

/** Buffers of all gradients for one run, and what then puts those that come by rows into their tables. */
const rowBuffers = Effect.fnUntraced(function* (
  runtime: Runtime["Service"],
  { dense, tables, whole }: GradientBuffers,
): Effect.fn.Return<
  { readonly into: Readonly<Record<string, Buffer>>; readonly addRows: Effect.Effect<unknown, RunFailed> },
  RunFailed,
  Scope.Scope
> {
  if (tables.length + whole.length === 0) return { into: dense, addRows: Effect.void }
  const rows = yield* Effect.forEach(tables, ({ rowDims }) => runtime.zeros("int32", rowDims))
  const updates = yield* Effect.forEach(tables, ({ updateDims }) => runtime.zeros("float32", updateDims))
  const byRows = tables.flatMap(({ output }, index) => [
    [`${output}.rows`, rows[index]!] as const,
    [`${output}.updates`, updates[index]!] as const,
  ])
  const buffers = {
    gradients: tables.map(({ gradient }) => gradient),
    touched: tables.map(({ touched }) => touched),
    rows,
    updates,
    whole,
  }
  return {
    into: { ...dense, ...Object.fromEntries(byRows) },
    addRows: runtime.call(kernels.addRows, buffers, { dense: tables.map((table) => table.dense) }),
  }
})

const dimsOf = (values: readonly Value[], name: string): readonly number[] | undefined =>
  staticDims(values.find((value) => value.name === name)?.dims)

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
