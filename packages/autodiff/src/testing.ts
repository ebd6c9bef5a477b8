import {
  type Attributes,
  type ElementType,
  elementCount,
  float32,
  type Graph,
  GraphBuilder,
  staticDims,
  type Tensor,
  type Value,
} from "@tandem/onnx"
import { scrambledLcg32 } from "@tandem/random"
import * as Schema from "effect/Schema"
import { differentiate, gradientName } from "./Differentiate.ts"
import type { RuleTable } from "./Rule.ts"

/** Computes a graph's outputs; how, is up to the test that brings it. */
export type Run = (graph: Graph, inputs: Readonly<Record<string, Tensor>>) => Promise<Readonly<Record<string, Tensor>>>

/** One operator application to check. Keep operands a few ε away from kinks, where no derivative exists. */
export interface VjpCase {
  /** What is special about it. */
  readonly name: string
  readonly op: string
  readonly domain?: string
  readonly inputs: readonly (Tensor | undefined)[]
  readonly attributes?: Attributes
  readonly outputs?: number
  /** Outputs that the loss reads; all those of floats where absent. */
  readonly uses?: readonly number[]
  /** Positions of the inputs to differentiate by; the others are constants of the graph. */
  readonly wrt: readonly number[]
  /** The result is a linear function of the operand but random: ⟨x, vjp(u)⟩ = ⟨u, f(x)⟩ is checked within each run. */
  readonly random?: boolean
}

export interface VjpOptions {
  readonly rules?: RuleTable
  /** Length of the step of the central difference (default 1e-3). */
  readonly epsilon?: number
  /** Largest relative difference (default 1e-2, what 32-bit floats allow with that step). */
  readonly tolerance?: number
  /** Number of random directions by each input (default 3). */
  readonly draws?: number
  readonly seed?: number
  /**
   * Compares every element of a gradient alone, by its difference instead of the relative one, as long as an input has
   * at most this many; otherwise random directions.
   */
  readonly elements?: number
}

/** A gradient rule and finite differences disagree. */
export class VjpMismatch extends Schema.TaggedError<VjpMismatch>()("VjpMismatch", {
  message: Schema.String,
  op: Schema.String,
  input: Schema.String,
  expected: Schema.String,
  found: Schema.String,
}) {}

/** Reproducible numbers of both signs, between 0.5 and 1.5 in size, so that no direction is nearly 0. */
const signed = (seed: number): (() => number) => {
  const next = scrambledLcg32(seed)
  return () => {
    const unit = next() / 2 ** 31 - 1
    return unit < 0 ? unit - 0.5 : unit + 0.5
  }
}

const nameAt = (index: number): string => `operand.${index}`
const floats: ReadonlySet<ElementType> = new Set(["float32", "float64"])

/** The case's operator with the loss Σ ⟨u, output⟩; `result.N` are the outputs that the loss reads. */
const caseGraph = (each: VjpCase, random: () => number) => {
  const g = new GraphBuilder()
  const operands = each.inputs.map((tensor, index) => {
    if (tensor === undefined) return undefined
    return each.wrt.includes(index) ? g.input(nameAt(index), tensor.type, tensor.dims) : g.constant(tensor)
  })
  const results = g.op(each.op, operands, {
    domain: each.domain ?? "",
    attributes: each.attributes ?? {},
    outputs: each.outputs ?? 1,
  })
  const directions = new Map<string, Tensor>()
  const outputs: Record<string, Value> = {}
  let loss: Value | undefined
  for (const [index, value] of results.entries()) {
    if (value.type === undefined || !floats.has(value.type) || each.uses?.includes(index) === false) continue
    const dims = staticDims(value.dims)
    if (dims === undefined) throw new TypeError(`case ${each.op}, ${each.name}: output ${index} has no known shape`)
    const u = float32(dims, Float32Array.from({ length: elementCount(dims) }, random))
    const term = g.reduceSum(g.mul(g.cast(value, "float32"), g.constant(u)), [], false)
    loss = loss === undefined ? term : g.add(loss, term)
    directions.set(`result.${index}`, u)
    outputs[`result.${index}`] = value
  }
  if (loss === undefined) throw new TypeError(`case ${each.op}, ${each.name}: no output is a float`)
  return { graph: g.build({ loss, ...outputs }, each.op), directions }
}

const numbersOf = (tensor: Tensor | undefined): number[] => Array.from(tensor?.data ?? [], Number)
const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, index) => sum + value * b[index]!, 0)

/** x + step · v, in the type of x. */
const moved = (x: Tensor, v: readonly number[], step: number): Tensor => {
  const values = numbersOf(x).map((value, index) => value + step * v[index]!)
  return x.type === "float64" ? { ...x, data: Float64Array.from(values) } : float32(x.dims, values)
}

/**
 * Checks the gradient rule of an operator against finite differences: for random u and v, ⟨v, vjp(u)⟩ must be
 * ⟨u, (f(x + εv) − f(x − εv)) / 2ε⟩, by every input in `wrt` alone. Gives the largest relative difference.
 *
 * @throws VjpMismatch where it is above the tolerance, and what `differentiate` throws
 *
 * @example
 * ```ts
 * import { checkVjp, type Run } from "@tandem/autodiff/testing"
 * import { float32 } from "@tandem/onnx"
 * import { Runtime } from "@tandem/runtime"
 * import { layer } from "@tandem/runtime/node/NodeRuntime"
 * import { Effect } from "effect"
 *
 * const run: Run = (graph, inputs) =>
 *   Effect.gen(function* () {
 *     const executable = yield* (yield* Runtime).compile(graph)
 *     return yield* executable.run(inputs)
 *   }).pipe(Effect.scoped, Effect.provide(layer({ threads: 1 })), Effect.runPromise)
 *
 * const x = float32([3], [0.5, -1, 2])
 * const error = await checkVjp(run, { name: "all", op: "Tanh", inputs: [x], wrt: [0] })
 * console.log(error < 1e-2) // true
 * ```
 */
export const checkVjp = async (run: Run, each: VjpCase, options: VjpOptions = {}): Promise<number> => {
  const { epsilon = 1e-3, tolerance = 1e-2, draws = 3, seed = 1, elements = 0 } = options
  const random = signed(seed)
  const { graph, directions } = caseGraph(each, random)
  const forward = (outputs: Readonly<Record<string, Tensor>>): number[] =>
    [...directions.keys()].flatMap((name) => numbersOf(outputs[name]))
  const wrt = each.wrt.map(nameAt)
  const differentiated = differentiate(graph, {
    loss: "loss",
    wrt,
    ...(options.rules === undefined ? {} : { rules: options.rules }),
  })
  const u = [...directions.values()].flatMap(numbersOf)
  const feeds = Object.fromEntries(each.wrt.map((index) => [nameAt(index), each.inputs[index]!]))
  const outputs = await run(differentiated, feeds)
  let worst = 0
  const compare = (input: string, found: number, expected: number, scale: number): void => {
    const error = Math.abs(found - expected) / scale
    if (!(error <= tolerance)) {
      throw new VjpMismatch({
        message: `the gradient of ${each.op} (${each.name}) towards input ${input} is wrong: relative error ${error}`,
        op: each.op,
        input,
        expected: `${expected}`,
        found: `${found}`,
      })
    }
    worst = Math.max(worst, error)
  }
  for (const [name, x] of Object.entries(feeds)) {
    const gradient = numbersOf(outputs[gradientName(name)])
    const length = Math.sqrt(dot(gradient, gradient))
    // A direction may happen to be almost orthogonal to the gradient
    const relative = (found: number, expected: number): void =>
      compare(name, found, expected, Math.max(Math.abs(found), Math.abs(expected), 0.2 * length, 1e-6))
    if (each.random === true) {
      relative(dot(numbersOf(x), gradient), dot(u, forward(outputs)))
      continue
    }
    const single = gradient.length <= elements
    for (let draw = 0; draw < (single ? gradient.length : draws); draw++) {
      const v = gradient.map((_, index) => (single ? (index === draw ? 1 : 0) : random()))
      const [after, before] = await Promise.all(
        [epsilon, -epsilon].map(async (step) =>
          forward(await run(single ? graph : differentiated, { ...feeds, [name]: moved(x, v, step) })),
        ),
      )
      const slope = after!.map((value, index) => (value - before![index]!) / (2 * epsilon))
      if (single) compare(name, dot(v, gradient), dot(u, slope), 1)
      else relative(dot(v, gradient), dot(u, slope))
    }
  }
  return worst
}
