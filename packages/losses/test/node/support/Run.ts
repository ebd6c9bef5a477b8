import { differentiate } from "@tandem/autodiff"
import { float32, type Graph, GraphBuilder, type Tensor, toNumbers, type Value } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, ManagedRuntime } from "effect"

export type Matrix = readonly (readonly number[])[]

/** A `float32` tensor of rows. */
export const matrix = (rows: Matrix): Tensor => float32([rows.length, rows[0]?.length ?? 0], rows.flat())

/** One runtime for a test file; its thread does not keep the process alive. */
const shared = ManagedRuntime.make(layer({ threads: 1 }))

/** Compiles a graph, runs it once on the CPU and gives its outputs as numbers. */
export const run = (
  graph: Graph,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Readonly<Record<string, readonly number[]>>> =>
  shared.runPromise(
    Effect.gen(function* () {
      const executable = yield* (yield* Runtime).compile(graph)
      const outputs = yield* executable.run(feeds)
      return Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, toNumbers(value)]))
    }).pipe(Effect.scoped),
  )

/** A graph over inputs of the given tensors' shapes, whose outputs `body` names. */
export const graphOver = (
  feeds: Readonly<Record<string, Tensor>>,
  body: (g: GraphBuilder, inputs: Readonly<Record<string, Value>>) => Readonly<Record<string, Value>>,
): Graph => {
  const g = new GraphBuilder()
  const inputs = Object.fromEntries(
    Object.entries(feeds).map(([name, { type, dims }]) => [name, g.input(name, type, dims)]),
  )
  return g.build(body(g, inputs))
}

/** Outputs of a graph and, as `grad.NAME`, the gradients of its output `loss`. */
export const runWithGradients = (graph: Graph, feeds: Readonly<Record<string, Tensor>>, wrt: readonly string[]) =>
  run(differentiate(graph, { loss: "loss", wrt }), feeds)

/** The largest difference between two lists of numbers of one length; infinite where one is not a number. */
export const largestDifference = (found: readonly number[] = [], expected: readonly number[] = []): number => {
  if (found.length !== expected.length) return Number.POSITIVE_INFINITY
  const differences = found.map((value, at) => Math.abs(value - (expected[at] ?? Number.NaN)))
  return differences.some(Number.isNaN) ? Number.POSITIVE_INFINITY : Math.max(0, ...differences)
}
