import { bool, chooseBranches, deadCode, fuse, type Graph, prepare, reads, upgrade } from "@tandem/onnx"

/** Merged decoders choose by this input whether they read a cache; training starts without one. */
const withoutCache = new Map([["use_cache_branch", bool([1], [false])]])

/**
 * A foreign model's graph in the form that training works on (`prepare`), of a decoder without a cache. Names of inputs,
 * outputs and weights stay.
 */
export const prepareGraph = (graph: Graph): Graph => prepare(graph, { values: withoutCache })

/** A foreign model's graph as inference runs it: composite operators stay, because ONNX Runtime has kernels for them. */
export const prepareInference = (graph: Graph): Graph => fuse(chooseBranches(upgrade(graph)))

/** The part of a graph that computes some of its outputs, with the inputs that this part reads. */
export const onlyOutputs = (graph: Graph, names: readonly string[]): Graph => {
  const wanted = new Set(names)
  const part = deadCode({ ...graph, outputs: graph.outputs.filter(({ name }) => wanted.has(name)) })
  const read = new Set([...part.nodes.flatMap(reads), ...names])
  return { ...part, inputs: part.inputs.filter(({ name }) => read.has(name)) }
}
