import { builderOpset, describeValue, type Graph } from "@tandem/onnx"
import { Disconnected, NotDifferentiable } from "../Errors.ts"
import { ruleKey } from "../Rule.ts"

/** Refuses what would be copied or differentiated wrongly. */
export const requireReadable = (graph: Graph, wrt: readonly string[]): void => {
  const opset = graph.opsets.get("") ?? builderOpset
  if (opset !== builderOpset) {
    throw new NotDifferentiable({
      message: `graph ${graph.name} uses operator set ${opset}`,
      opset,
      expected: `${builderOpset}`,
      hint: "upgrade the graph first",
    })
  }
  const branching = graph.nodes.find(({ attributes }) => Object.values(attributes).some(({ kind }) => kind === "graph"))
  if (branching !== undefined) {
    throw new NotDifferentiable({
      message: `node ${branching.name} (${ruleKey(branching)}) holds a subgraph`,
      op: ruleKey(branching),
      node: branching.name,
      expected: "a graph without control flow",
    })
  }
  for (const name of wrt) {
    const { type } = describeValue(graph, name)
    if (type === undefined || floats.has(type)) continue
    throw new NotDifferentiable({ message: `${name} is no float`, tensor: name, expected: "a float", found: type })
  }
}

/** Names of values that a gradient passes: those that depend on `wrt` and that the loss depends on. */
export const valuesOnPath = (graph: Graph, loss: string, wrt: readonly string[]): Set<string> => {
  const forward = new Set(wrt)
  for (const node of graph.nodes) {
    if (!node.inputs.some((name) => forward.has(name))) continue
    for (const name of node.outputs) if (mayVary(graph, name)) forward.add(name)
  }
  const backward = dependencies(graph, loss)
  const lost = wrt.filter((name) => !backward.has(name))
  if (lost.length > 0) {
    throw new Disconnected({
      message: `the loss ${loss} does not depend on ${lost.join(", ")} in a way that has a gradient`,
      tensor: lost[0] ?? "",
      hint: "leave the value out of what is trained",
    })
  }
  return new Set([...forward].filter((name) => backward.has(name)))
}

/** What follows from a truth value or an integer follows in steps: nothing passes it, so it ends a path. */
const mayVary = (graph: Graph, name: string): boolean => {
  const { type } = describeValue(graph, name)
  return name !== "" && (type === undefined || floats.has(type))
}

const floats: ReadonlySet<string> = new Set(["float16", "bfloat16", "float32", "float64"])

/** The output and all values that it depends on through values that may vary. */
const dependencies = (graph: Graph, output: string): Set<string> => {
  const result = new Set([output])
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => result.has(name) && mayVary(graph, name))) continue
    for (const name of node.inputs) result.add(name)
  }
  return result
}

/** The names among `candidates` that the output depends on, through no truth value or integer: what can be trained. */
export const influences = (graph: Graph, output: string, candidates: Iterable<string>): string[] => {
  const needed = dependencies(graph, output)
  return [...candidates].filter((name) => needed.has(name))
}
