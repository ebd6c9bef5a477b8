import { Composite, type Decomposition } from "../composites/Composite.ts"
import { decompositions } from "../composites/table.ts"
import { type Attribute, type Graph, type Node, operatorName, type Value } from "../Graph.ts"
import { GraphBuilder } from "../GraphBuilder.ts"
import { freshNames } from "../internal/rewrite.ts"
import type { Tensor } from "../Tensor.ts"
import { deadCode } from "./DeadCode.ts"
import { ShapeWalk } from "./InferShapes.ts"

/** Decompositions by operator; those outside ONNX's own set are written `domain.Operator`. */
export type DecompositionTable = Readonly<Record<string, Decomposition>>

/**
 * Puts plain operators of `builderOpset` in the place of composite ones: the attention operators of ONNX and of ONNX
 * Runtime, rotary embeddings, normalizations with a sum before them, products with 4-bit and 8-bit weights. What has
 * been written in plain operators can be differentiated, specialized, fused and run by every provider.
 *
 * Shapes may be symbolic; what a form depends on (ranks, head sizes) must be known from inputs and weights. The last
 * node of what a composite becomes keeps the names of its outputs, all others begin with its name. Results agree to
 * rounding. Initializers that are added (masks, dequantized weights) are no weights of the file: whoever chooses
 * parameters goes by the names of the graph that was read. Frozen weights of n bits take 32 / n times their size.
 *
 * @throws UnsupportedAttribute where a setting, an operand or an output that is read cannot be expressed
 *
 * @example
 * ```ts
 * import { decompose, GraphBuilder, int } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const x = g.input("x", "float32", ["batch", "tokens", 8])
 * const [y] = g.op("MultiHeadAttention", [x, x, x], { domain: "com.microsoft", attributes: { num_heads: int(2) } })
 * const graph = decompose(g.build({ y: y! }))
 * console.log(graph.nodes.filter((node) => node.op === "MatMul").length) // 2
 * ```
 */
export const decompose = (graph: Graph, table: DecompositionTable = decompositions): Graph =>
  rewrite(graph, { table, fresh: freshNames(graph), tensors: new Map() })

interface Rewriting {
  readonly table: DecompositionTable
  readonly fresh: (stem: string) => string
  /** Tensors that several nodes share, by key. */
  readonly tensors: Map<string, Tensor>
}

const rewrite = (graph: Graph, rewriting: Rewriting, outside?: ShapeWalk): Graph => {
  const { table } = rewriting
  if (!graph.nodes.some((node) => Object.hasOwn(table, operatorName(node)) || subgraphs(node).length > 0)) return graph
  const initializers = new Map(graph.initializers)
  const names = new Map<Tensor, string>()
  const walk = new ShapeWalk(graph, initializers, outside)
  const read = new Set(graph.outputs.map((value) => value.name))
  for (const node of graph.nodes) {
    for (const name of [...node.inputs, ...subgraphs(node).flatMap((inner) => inner.nodes.flatMap((n) => n.inputs))]) {
      read.add(name)
    }
  }
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const decomposition = Object.hasOwn(table, operatorName(node)) ? table[operatorName(node)] : undefined
    if (decomposition === undefined) {
      walk.visit(node)
      return [withSubgraphs(node, (inner) => rewrite(inner, rewriting, walk))]
    }
    const fragment = expand(node, decomposition, walk, read, rewriting)
    const named = new Map<string, string>()
    for (const [name, tensor] of fragment.initializers) {
      const known = names.get(tensor) ?? rewriting.fresh(`${node.name}/${name}`)
      names.set(tensor, known)
      initializers.set(known, tensor)
      named.set(name, known)
    }
    for (const inner of fragment.nodes) {
      for (const name of inner.outputs) {
        if (name !== "" && !node.outputs.includes(name)) named.set(name, rewriting.fresh(`${node.name}/${name}`))
      }
    }
    const rename = (name: string): string => named.get(name) ?? name
    return fragment.nodes.map((inner) => {
      const placed = {
        ...inner,
        name: `${node.name}/${inner.name}`,
        inputs: inner.inputs.map(rename),
        outputs: inner.outputs.map(rename),
      }
      walk.visit(placed)
      return placed
    })
  })
  const opsets = new Map(graph.opsets)
  if (nodes.some((node) => node.domain === "com.microsoft")) opsets.set("com.microsoft", 1)
  return deadCode({ ...graph, nodes, initializers, opsets })
}

/** What one node computes, as a graph of its own: from values of the node's input names to those of its output names. */
const expand = (
  node: Node,
  decomposition: Decomposition,
  walk: ShapeWalk,
  read: ReadonlySet<string>,
  { tensors }: Rewriting,
): Graph => {
  const g = new GraphBuilder()
  const inputs = new Map<string, Value>()
  const operand = (name: string): Value | undefined => {
    if (name === "") return undefined
    const { type, dims } = walk.value(name)
    const value = inputs.get(name) ?? g.operand(name, type, dims)
    inputs.set(name, value)
    return value
  }
  const results = decomposition(
    new Composite({
      g,
      node,
      operands: node.inputs.map(operand),
      constants: node.inputs.map((name) => walk.constant(name)),
      reads: (index) => (node.outputs[index] ?? "") !== "" && read.has(node.outputs[index]!),
      shared: (key, make) => {
        const tensor = tensors.get(key) ?? make()
        tensors.set(key, tensor)
        return tensor
      },
    }),
  )
  const outputs = node.outputs.flatMap((name, index) => {
    const value = results[index]
    return value === undefined || name === "" || !read.has(name) ? [] : [[name, value] as const]
  })
  return g.build(Object.fromEntries(outputs), node.name)
}

const subgraphs = (node: Node): readonly Graph[] =>
  Object.values(node.attributes).flatMap((attribute) => (attribute.kind === "graph" ? [attribute.value] : []))

const withSubgraphs = (node: Node, change: (graph: Graph) => Graph): Node => ({
  ...node,
  attributes: Object.fromEntries(
    Object.entries(node.attributes).map(([name, attribute]): [string, Attribute] => [
      name,
      attribute.kind === "graph" ? { kind: "graph", value: change(attribute.value) } : attribute,
    ]),
  ),
})
