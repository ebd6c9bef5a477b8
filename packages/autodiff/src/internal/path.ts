import { builderOpset, describeValue, type Graph, type Node, operatorName, producers } from "@tandem/onnx"
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
  const backward = dependencies(graph, [loss], stops)
  const lost = wrt.filter((name) => !backward.has(name))
  if (lost.length > 0) throw severed(graph, loss, lost, stops)
  return new Set([...forward].filter((name) => backward.has(name)))
}

/** What `pathsTo` finds. */
export interface Paths {
  /** Names of values that a gradient passes on its way from an output. */
  readonly onPath: ReadonlySet<string>
  /** Why candidates that an output depends on are reached by no gradient, by name, in the order of the candidates. */
  readonly severed: ReadonlyMap<string, Error>
}

/** The paths from any of the candidates to any of the outputs, and what is wrong with those that no path is open for. */
export const pathsTo = (
  graph: Graph,
  outputs: readonly string[],
  candidates: readonly string[],
  stops: Stops,
): Paths => {
  const backward = dependencies(graph, outputs, stops)
  const connected = candidates.filter((name) => backward.has(name))
  const onPath = new Set([...dependents(graph, connected, stops)].filter((name) => backward.has(name)))
  const influential = firstInfluences(graph, outputs, candidates)
  const lost = candidates.filter((name) => influential.has(name) && !backward.has(name))
  const severed = new Map<string, Error>()
  if (lost.length === 0) return { onPath, severed }
  const needed = dependencies(graph, outputs)
  const stopped = graph.nodes.flatMap((node) => {
    if (!node.outputs.some((name) => needed.has(name))) return []
    return [...node.inputs.keys()].flatMap((index) => (stops.passes(node, index) ? [] : [{ node, index }]))
  })
  const values = stopped.map(({ node, index }) => node.inputs[index]!)
  for (const [name, place] of firstInfluences(graph, values, lost)) {
    const { node, index } = stopped[place]!
    severed.set(name, stops.error(node, index))
  }
  return { onPath, severed }
}

/** Why none of these values reaches the loss. */
const severed = (graph: Graph, loss: string, lost: readonly string[], stops: Stops | undefined): Error => {
  const backward = dependencies(graph, [loss])
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

/** The outputs and all values that they depend on through values that may vary. */
const dependencies = (graph: Graph, outputs: readonly string[], stops?: Stops): Set<string> => {
  const result = new Set(outputs)
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => result.has(name) && (isQuantizer(node) || mayVary(graph, name)))) continue
    for (const [index, name] of node.inputs.entries()) if (stops?.passes(node, index) !== false) result.add(name)
  }
  return result
}

/** The names among `candidates` that the output depends on, through no truth value or integer: what can be trained. */
export const influences = (graph: Graph, output: string, candidates: Iterable<string>): string[] => [
  ...firstInfluences(graph, [output], candidates).keys(),
]

/**
 * For each of `candidates` that one of the values depends on, through no truth value or integer, the place of the first
 * such value in the list. However many values there are, every node is looked at once.
 */
export const firstInfluences = (
  graph: Graph,
  values: readonly string[],
  candidates: Iterable<string>,
): Map<string, number> => {
  const makers = producers(graph)
  const first = new Map<string, number>()
  const expanded = new Set<Node>()
  for (const [place, value] of values.entries()) {
    const open = [value]
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (!first.has(name)) first.set(name, place)
      const maker = makers.get(name)
      if (maker === undefined || expanded.has(maker) || !(isQuantizer(maker) || mayVary(graph, name))) continue
      expanded.add(maker)
      for (const input of maker.inputs) open.push(input)
    }
  }
  return new Map([...candidates].flatMap((name) => (first.has(name) ? [[name, first.get(name)!] as const] : [])))
}
