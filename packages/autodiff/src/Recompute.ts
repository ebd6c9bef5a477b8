import { bytesPerElement, describeValue, elementCount, type Graph, type Node, staticDims } from "@tandem/onnx"
import { NotDifferentiable } from "./Errors.ts"

/**
 * What of the forward pass is computed again for the gradient instead of being kept: `auto` cuts the graph into blocks
 * where little crosses and keeps what does; a list names values after which to cut.
 */
export type Recompute = "auto" | readonly string[]

/** A run of nodes, `start` to `end` (exclusive), whose inner values are not kept. */
export interface Block {
  readonly start: number
  readonly end: number
}

/** Nodes that hand their operand on without a copy. */
const views = new Set(["Reshape", "Identity", "Squeeze", "Unsqueeze", "Flatten"])

/**
 * The blocks that a graph is recomputed in, in order; together they are all nodes. What crosses from one to another is
 * kept. The last one's values are still there when its gradient begins, so nothing of it is recomputed.
 *
 * @throws NotDifferentiable where a value to cut at is not made by the graph
 */
export const recomputedBlocks = (graph: Graph, onPath: ReadonlySet<string>, how: Recompute): readonly Block[] => {
  const cuts = how === "auto" ? cheapestCuts(graph, onPath) : namedCuts(graph, how)
  const edges = [...new Set([0, ...cuts, graph.nodes.length])].sort((a, b) => a - b)
  return edges.slice(1).map((end, index) => ({ start: edges[index]!, end }))
}

const namedCuts = (graph: Graph, names: readonly string[]): readonly number[] => {
  const places = new Map(graph.nodes.flatMap(({ outputs }, index) => outputs.map((name) => [name, index + 1] as const)))
  return names.map((name) => {
    const place = places.get(name)
    if (place !== undefined) return place
    throw new NotDifferentiable({
      message: `no node of graph ${graph.name} makes ${name}, after which it was to be cut`,
      tensor: name,
    })
  })
}

/** What a gradient would keep of the forward pass, by node. */
interface Costs {
  /** Bytes of what a node adds to the path. */
  readonly made: readonly number[]
  /** For a cut before each node, the names of the values that cross it. */
  readonly crossing: readonly ReadonlySet<string>[]
  readonly bytes: ReadonlyMap<string, number>
}

const costsOf = (graph: Graph, onPath: ReadonlySet<string>): Costs => {
  const bytes = new Map<string, number>()
  const lastRead = new Map<string, number>()
  const made = graph.nodes.map((node, index) => {
    for (const name of node.inputs) lastRead.set(name, index)
    const sizes = node.outputs.map((name) => {
      const size = onPath.has(name) ? sizeOf(graph, node, name) : 0
      if (onPath.has(name)) bytes.set(name, size)
      return size
    })
    return views.has(node.op) ? 0 : sizes.reduce((sum, size) => sum + size, 0)
  })
  const alive = new Set<string>()
  const crossing = graph.nodes.map((node, index) => {
    const names = new Set(alive)
    for (const name of node.inputs) if (lastRead.get(name) === index) alive.delete(name)
    for (const name of node.outputs) if (onPath.has(name) && (lastRead.get(name) ?? -1) > index) alive.add(name)
    return names
  })
  return { made, crossing, bytes }
}

const sizeOf = (graph: Graph, node: Node, name: string): number => {
  const { type, dims } = describeValue(graph, name)
  const known = staticDims(dims)
  if (type === undefined || known === undefined) {
    throw new NotDifferentiable({
      message: `the shape of ${name} in graph ${graph.name} is not known, so no blocks can be chosen`,
      tensor: name,
      node: node.name,
      hint: "specialize the graph first",
    })
  }
  return elementCount(known) * bytesPerElement(type)
}

/**
 * Cuts that keep the sum of what crosses them and twice the largest block (its values and their gradients) small. For
 * limits of a block's size from large to small, blocks are filled in order and each ends where least crosses.
 */
const cheapestCuts = (graph: Graph, onPath: ReadonlySet<string>): readonly number[] => {
  const { made, crossing, bytes } = costsOf(graph, onPath)
  const total = made.reduce((sum, size) => sum + size, 0)
  const crossed = crossing.map((names) => [...names].reduce((sum, name) => sum + bytes.get(name)!, 0))
  let best: { readonly cost: number; readonly cuts: readonly number[] } = { cost: 2 * total, cuts: [] }
  for (let limit = total; limit > total / 512; limit *= 0.85) {
    const cuts = fill(made, crossed, limit)
    const kept = new Set(cuts.flatMap((cut) => [...crossing[cut]!]))
    const edges = [0, ...cuts, made.length]
    const sizes = edges.slice(1).map((end, index) => sum(made, edges[index]!, end))
    const cost = [...kept].reduce((total, name) => total + bytes.get(name)!, 0) + 2 * Math.max(...sizes)
    if (cost < best.cost) best = { cost, cuts }
  }
  return best.cuts
}

const sum = (values: readonly number[], start: number, end: number): number => {
  let total = 0
  for (let index = start; index < end; index++) total += values[index]!
  return total
}

/** Blocks of at most `limit` bytes (or one node), each cut where least crosses, and there as late as possible. */
const fill = (made: readonly number[], crossed: readonly number[], limit: number): readonly number[] => {
  const cuts: number[] = []
  let start = 0
  while (start < made.length) {
    let size = 0
    let cut = start + 1
    let end = start
    while (end < made.length && (size + made[end]! <= limit || end === start)) {
      size += made[end]!
      end++
      if (end < made.length && (crossed[end]! <= crossed[cut]! || cut > end)) cut = end
    }
    if (end >= made.length) break
    cuts.push(cut)
    start = cut
  }
  return cuts
}
