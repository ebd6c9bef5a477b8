import { builderOpset, describeValue, type Graph, type Node, operatorName } from "@tandem/onnx"
import { Disconnected, NotDifferentiable } from "../Errors.ts"

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
      message: `node ${branching.name} (${operatorName(branching)}) holds a subgraph`,
      op: operatorName(branching),
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

/** Where a path may not go. */
export interface Stops {
  /** Whether the result of a node has a derivative by its operand at this position. */
  readonly passes: (node: Node, index: number) => boolean
  /** The error for a value all of whose ways to the loss lead through an operand that is not passed. */
  readonly error: (node: Node, index: number) => Error
}

/** Names of values that a gradient passes: those that depend on `wrt` and that the loss depends on. */
export const valuesOnPath = (graph: Graph, loss: string, wrt: readonly string[], stops?: Stops): Set<string> => {
  const forward = dependents(graph, wrt, stops)
  const backward = dependencies(graph, loss, stops)
  const lost = wrt.filter((name) => !backward.has(name))
  if (lost.length > 0) throw severed(graph, loss, lost, stops)
  return new Set([...forward].filter((name) => backward.has(name)))
}

/** Why none of these values reaches the loss. */
const severed = (graph: Graph, loss: string, lost: readonly string[], stops: Stops | undefined): Error => {
  const backward = dependencies(graph, loss)
  const apart = lost.filter((name) => !backward.has(name))
  const forward = dependents(graph, lost)
  for (const node of apart.length > 0 || stops === undefined ? [] : graph.nodes) {
    if (!node.outputs.some((name) => backward.has(name))) continue
    const index = node.inputs.findIndex((name, at) => forward.has(name) && !stops!.passes(node, at))
    if (index >= 0) return stops!.error(node, index)
  }
  return new Disconnected({
    message: `the loss ${loss} does not depend on ${apart.join(", ")} in a way that has a gradient`,
    tensor: apart[0] ?? lost[0] ?? "",
    hint: "leave the value out of what is trained",
  })
}

/** The values and all that depends on them through values that may vary. */
const dependents = (graph: Graph, names: readonly string[], stops?: Stops): Set<string> => {
  const result = new Set(names)
  for (const node of graph.nodes) {
    const varies = node.inputs.some((name, index) => result.has(name) && stops?.passes(node, index) !== false)
    if (!varies) continue
    for (const name of node.outputs) if (isQuantizer(node) || mayVary(graph, name)) result.add(name)
  }
  return result
}

/**
 * Whole numbers end a path, but not those that stand for floats: a gradient that is lost where activations are quantised
 * is an error.
 */
const isQuantizer = ({ op, domain }: Node): boolean =>
  op === "QuantizeLinear" && (domain === "" || domain === "com.microsoft")

/** What follows from a truth value or an integer follows in steps: nothing passes it, so it ends a path. */
const mayVary = (graph: Graph, name: string): boolean => {
  const { type } = describeValue(graph, name)
  return name !== "" && (type === undefined || floats.has(type))
}

const floats: ReadonlySet<string> = new Set(["float16", "bfloat16", "float32", "float64"])

/** The output and all values that it depends on through values that may vary. */
const dependencies = (graph: Graph, output: string, stops?: Stops): Set<string> => {
  const result = new Set([output])
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => result.has(name) && (isQuantizer(node) || mayVary(graph, name)))) continue
    for (const [index, name] of node.inputs.entries()) if (stops?.passes(node, index) !== false) result.add(name)
  }
  return result
}

/** The names among `candidates` that the output depends on, through no truth value or integer: what can be trained. */
export const influences = (graph: Graph, output: string, candidates: Iterable<string>): string[] => {
  const needed = dependencies(graph, output)
  return [...candidates].filter((name) => needed.has(name))
}
