// What a training step does, counted and not timed: equal on every machine.
import { gradientName } from "@tandem/autodiff"
import {
  bytesPerElement,
  describeValue,
  elementCount,
  type Graph,
  staticDims,
  type Tensor,
  tensor,
  zeros,
} from "@tandem/onnx"
import { type Buffer, Runtime } from "@tandem/runtime"
import { makeTrainStep, type Program, residentState } from "@tandem/trainers"
import { Effect } from "effect"
import { flopsOf, nodeProducts } from "./Products.ts"

/** The counts of one step's graph. */
export interface StepCounts {
  /** Nodes of the differentiated graph. */
  readonly nodes: number
  /** Its matrix products. */
  readonly products: number
  /** Floating-point operations of these, in millions, rounded. */
  readonly productMegaflops: number
  /** Bytes of all values that a node writes into memory of its own: neither outputs nor other shapes of the same memory. */
  readonly intermediateBytes: number
  /** Bytes of such values that are there at once, at most, where nodes run in their order and values go when they can. */
  readonly peakBytes: number
  /** Bytes of gradients that leave their place: returned by the run, or copied by the binding (see `copiedBytes`). */
  readonly copiedGradientBytes: number
}

/** Counts a program's training step by the parameters of the given shapes; nothing is computed. */
export const stepCounts = (
  program: Program,
  parameters: ReadonlyMap<string, readonly number[]>,
  trainable: readonly string[],
): Effect.Effect<StepCounts> =>
  Effect.gen(function* () {
    const recorded = recorder()
    const step = Effect.gen(function* () {
      const state = yield* residentState(new Map([...parameters].map(zero)), trainable)
      const { run } = yield* makeTrainStep(program, state)
      yield* run({ key: "", examples: 1, tensors: {} }, { seed: 0, step: 0 })
    })
    yield* Effect.orDie(Effect.scoped(step).pipe(Effect.provideService(Runtime, recorded.runtime)))
    const { graph, run } = recorded.found()
    const products = nodeProducts(graph)
    return {
      nodes: graph.nodes.length,
      products: products.length,
      productMegaflops: Math.round(products.reduce((sum, product) => sum + flopsOf(product), 0) / 1e6),
      intermediateBytes: intermediateBytes(graph),
      peakBytes: peakBytes(graph),
      copiedGradientBytes: copiedBytes(graph, run, trainable),
    }
  })

const zero = ([name, dims]: readonly [string, readonly number[]]): readonly [string, Tensor] => [
  name,
  tensor("float32", dims, zeros("float32", elementCount(dims))),
]

interface RecordedRun {
  readonly into: ReadonlySet<string>
  readonly returned: readonly string[]
}

/** A runtime that computes nothing and keeps what it was asked for. */
const recorder = () => {
  let graph: Graph | undefined
  let asked: RecordedRun | undefined
  let id = 0
  const buffer = ({ type, dims }: Pick<Tensor, "type" | "dims">): Buffer => ({ id: id++, type, dims })
  const runtime: Runtime["Service"] = {
    device: { provider: "cpu", threads: 1, fallbacks: [] },
    compile: (compiled) =>
      Effect.sync(() => {
        graph = compiled
        const { inputs, outputs } = compiled
        return {
          inputs,
          outputs,
          fallbacks: [],
          run: (_, { into = {}, only = outputs.map(({ name }) => name) } = {}) =>
            Effect.sync(() => {
              asked = {
                into: new Set(Object.keys(into)),
                returned: only.filter((name) => into[name] === undefined),
              }
              return {}
            }),
        }
      }),
    upload: (value) => Effect.sync(() => buffer(value)),
    zeros: (type, dims) => Effect.sync(() => buffer({ type, dims })),
    write: () => Effect.void,
    download: ({ type, dims }) =>
      Effect.sync(() => tensor(type, dims, type === "string" ? [] : zeros(type, elementCount(dims)))),
    call: () => Effect.succeed(undefined),
    callEach: (_, parts) => Effect.succeed(parts.map(() => undefined)),
  }
  const found = () => {
    if (graph === undefined || asked === undefined) throw new Error("no step was run")
    return { graph, run: asked }
  }
  return { runtime, found }
}

/** Operators whose result is the memory of their first operand, or a constant's. */
const withoutMemory = new Set(["Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Constant"])

const intermediateBytes = (graph: Graph): number => {
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const taking = graph.nodes.filter(({ op }) => !withoutMemory.has(op)).flatMap((node) => node.outputs)
  return taking.filter((name) => name !== "" && !outputs.has(name)).reduce((sum, name) => sum + sizeOf(graph, name), 0)
}

const peakBytes = (graph: Graph): number => {
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  // The value whose memory each value is.
  const owners = new Map<string, string>()
  const ownerOf = (name: string): string => owners.get(name) ?? name
  const lastReads = new Map<string, number>()
  for (const [index, { op, inputs, outputs: made }] of graph.nodes.entries()) {
    for (const name of inputs) lastReads.set(ownerOf(name), index)
    if (withoutMemory.has(op)) owners.set(made[0] ?? "", ownerOf(inputs[0] ?? ""))
  }
  const freed = graph.nodes.map(() => 0)
  let [live, peak] = [0, 0]
  for (const [index, node] of graph.nodes.entries()) {
    const own = withoutMemory.has(node.op) ? [] : node.outputs.filter((name) => name !== "" && !outputs.has(name))
    for (const name of own) {
      const size = sizeOf(graph, name)
      live += size
      freed[lastReads.get(name) ?? index]! += size
    }
    peak = Math.max(peak, live)
    live -= freed[index]!
  }
  return peak
}

/**
 * Bytes of gradients that a run hands back instead of writing them in place. The binding copies every output, those in
 * place too, unless each has its array beforehand: a returned one has where its shape is known.
 */
const copiedBytes = (graph: Graph, { into, returned }: RecordedRun, trainable: readonly string[]): number => {
  const names = trainable.flatMap((name) => {
    const gradient = gradientName(name)
    return [gradient, `${gradient}.rows`, `${gradient}.updates`]
  })
  const prepared = returned.every((name) => {
    const { type, dims } = describeValue(graph, name)
    return type === "float32" && staticDims(dims) !== undefined
  })
  const copied = names.filter((name) => returned.includes(name) || (into.has(name) && !prepared))
  return copied.reduce((sum, name) => sum + sizeOf(graph, name), 0)
}

const sizeOf = (graph: Graph, name: string): number => {
  const { type, dims } = describeValue(graph, name)
  const known = staticDims(dims)
  if (type === undefined || known === undefined) throw new Error(`type and shape of ${name} are not known`)
  return elementCount(known) * bytesPerElement(type)
}
