import { elementCount, type Graph, type Tensor, type Value } from "@tandem/onnx"
import { Effect, type Scope } from "effect"
import type { RunFailed } from "./Errors.ts"
import { type Buffer, type Feed, Runtime } from "./Runtime.ts"

/** Weights where a graph finds them. */
export interface PlacedWeights {
  /** The graph with those that are constants inside, and no inputs for them any more. */
  readonly into: (graph: Graph) => Graph
  /** The others by input name, for every run. */
  readonly feeds: Readonly<Record<string, Buffer>>
}

/** Weights of more bytes are no constants: a model that is handed over in memory is at most 2 GiB. */
const mostConstantBytes = 2 ** 30

/**
 * Weights for a graph whose inputs they are: plain tensors become constants of it, which ONNX Runtime puts into the order
 * that its products read fastest, once; resident buffers are read where they are, so that later changes to them show. Where
 * the constants would take more than `mostBytes` (1 GiB where absent), they are uploaded instead.
 *
 * `refuse` makes the error for a weight that is missing or of another type or shape than its input.
 */
export const placeWeights = Effect.fnUntraced(function* <E>(
  inputs: readonly Value[],
  given: Readonly<Record<string, Feed>>,
  refuse: (input: Value, found: Feed | undefined) => E,
  mostBytes = mostConstantBytes,
): Effect.fn.Return<PlacedWeights, E | RunFailed, Runtime | Scope.Scope> {
  const runtime = yield* Runtime
  const constants = new Map<string, Tensor>()
  const feeds: Record<string, Buffer> = {}
  for (const input of inputs) {
    const { name, type, dims } = input
    const weight = given[name]
    if (weight === undefined || weight.type !== type || `${weight.dims}` !== `${dims}`) {
      return yield* Effect.fail(refuse(input, weight))
    }
    if ("id" in weight) feeds[name] = weight
    else constants.set(name, weight)
  }
  const bytes = [...constants.values()].reduce((sum, { dims }) => sum + 4 * elementCount(dims), 0)
  if (bytes > mostBytes) {
    for (const [name, weight] of constants) feeds[name] = yield* runtime.upload(weight)
    constants.clear()
  }
  return {
    feeds,
    into: (graph) => ({
      ...graph,
      inputs: graph.inputs.filter(({ name }) => !constants.has(name)),
      initializers: new Map([
        ...graph.initializers,
        ...[...constants].filter(([name]) => graph.inputs.some((input) => input.name === name)),
      ]),
    }),
  }
})

/**
 * Uploads weights by name for as long as the scope lives. Memory goes to the device's thread with them where it holds a
 * single weight: those tensors are empty afterwards. What reads the model's own weights later finds none.
 */
export const handOverWeights = Effect.fnUntraced(function* (
  parameters: ReadonlyMap<string, Tensor>,
): Effect.fn.Return<Readonly<Record<string, Buffer>>, RunFailed, Runtime | Scope.Scope> {
  const runtime = yield* Runtime
  const single = singleInMemory(parameters.values())
  const placed: Record<string, Buffer> = {}
  for (const [name, tensor] of parameters) {
    placed[name] = yield* runtime.upload(tensor, { handOver: single.has(tensor) })
  }
  return placed
})

/** Tensors in whose memory none of the others lies. */
export const singleInMemory = (tensors: Iterable<Tensor>): ReadonlySet<Tensor> => {
  const memory = ({ data }: Tensor) => (ArrayBuffer.isView(data) ? data.buffer : data)
  const [all, times] = [[...tensors], new Map<unknown, number>()]
  for (const each of all) times.set(memory(each), (times.get(memory(each)) ?? 0) + 1)
  return new Set(all.filter((each) => times.get(memory(each)) === 1))
}
