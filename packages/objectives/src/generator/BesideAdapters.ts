import { addLora, InvalidLora, type LoraAdapter, mergeAdapters } from "@tandem/autodiff"
import { type Decoder, dequantizeWeights, type ModelError } from "@tandem/models"
import type { Graph, Tensor } from "@tandem/onnx"
import { escaped } from "@tandem/runs/LoraSetting"
import { Effect } from "effect"

/** How adapters were shaped. */
export interface AdapterShape {
  readonly rank: number
  readonly alpha: number
}

const ending = ".lora_A.weight"

/** The modules that have adapters among weights by name. */
const modulesIn = (names: Iterable<string>): readonly string[] =>
  [...names].filter((name) => name.endsWith(ending)).map((name) => name.slice(0, -ending.length))

/**
 * A change of a generator's graphs that adds the adapters over weights in blocks of few bits, which stay beside them: those
 * of the modules that have A among the names. Undefined where none has.
 */
export const besideAdapters = (names: Iterable<string>, shape: AdapterShape): ((graph: Graph) => Graph) | undefined => {
  const modules = modulesIn(names)
  if (modules.length === 0) return undefined
  return (graph) => {
    const blocks = adaptersOf(graph, modules, shape).filter(({ quantized }) => quantized)
    return blocks.length === 0 ? graph : addLora(graph, targeting(blocks, shape)).graph
  }
}

/**
 * A decoder that `quantizeWeights` made as one of floats, with trained adapters in its weights: nothing of them is lost,
 * and files of few bits are made of the sum.
 */
export const mergedIntoFloats = Effect.fnUntraced(function* (
  decoder: Decoder,
  trained: ReadonlyMap<string, Tensor>,
  shape: AdapterShape,
): Effect.fn.Return<{ readonly model: Decoder; readonly parameters: ReadonlyMap<string, Tensor> }, ModelError> {
  const model = dequantizeWeights(decoder)
  const { graph } = yield* model.decoding
  const adapters = adaptersOf(graph, modulesIn(trained.keys()), shape)
  const merged = mergeAdapters(adapters, model.parameters, trained)
  const parameters = [...model.parameters].map(
    ([name, value]) => [name, merged.get(name) ?? trained.get(name) ?? value] as const,
  )
  return { model, parameters: new Map(parameters) }
})

const targeting = (modules: readonly Pick<LoraAdapter, "module">[], { rank, alpha }: AdapterShape) => ({
  ...{ rank, alpha },
  targets: modules.map(({ module }) => escaped(module)).join("|"),
})

const adaptersOf = (graph: Graph, modules: readonly string[], shape: AdapterShape): readonly LoraAdapter[] => {
  const { adapters } = addLora(
    graph,
    targeting(
      modules.map((module) => ({ module })),
      shape,
    ),
  )
  const found = new Set(adapters.map(({ module }) => module))
  const missing = modules.find((module) => !found.has(module))
  if (missing === undefined) return adapters
  throw new InvalidLora({ message: `${missing} has an adapter and is no module of the graph`, tensor: missing })
}
