import { chooseBranches, deadCode, type Graph, type Tensor } from "@tandem/onnx"

/** The conditions of a graph's `If` nodes. */
const conditions = (graph: Graph): readonly string[] =>
  graph.nodes.flatMap(({ op, domain, inputs }) => (op === "If" && domain === "" ? [inputs[0] ?? ""] : []))

/** Whether a graph holds any graph inside. */
export const hasBranches = (graph: Graph): boolean =>
  graph.nodes.some(({ attributes }) => Object.values(attributes).some(({ kind }) => kind === "graph"))

/** The part of a graph that decides which branches run. */
export const deciding = (graph: Graph): Graph => {
  const outputs = [...new Set(conditions(graph))].map((name) => ({ name, type: undefined, dims: undefined }))
  return deadCode({ ...graph, outputs })
}

/** The graph with the branches that are known to run; undefined where these conditions tell nothing new. */
export const decided = (graph: Graph, values: ReadonlyMap<string, Tensor>): Graph | undefined => {
  if (!conditions(graph).some((name) => values.has(name))) return undefined
  return chooseBranches(graph, values)
}
