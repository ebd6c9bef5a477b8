import { deadCode, type Graph, reads, upgrade } from "@tandem/onnx"

/**
 * A foreign model's graph in the form that training works on: of the builder's operator set.
 * Names of inputs, outputs and weights stay.
 */
export const prepareGraph = (graph: Graph): Graph => upgrade(graph)

/** The part of a graph that computes some of its outputs, with the inputs that this part reads. */
export const onlyOutputs = (graph: Graph, names: readonly string[]): Graph => {
  const part = deadCode({ ...graph, outputs: graph.outputs.filter(({ name }) => names.includes(name)) })
  const read = new Set([...part.nodes.flatMap(reads), ...names])
  return { ...part, inputs: part.inputs.filter(({ name }) => read.has(name)) }
}
