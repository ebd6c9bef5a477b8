import { describeValue, type Graph, type Node, type Value } from "../Graph.ts"
import { inferTypes, moreStatic } from "../internal/infer.ts"
import type { Tensor } from "../Tensor.ts"

/** Follows types and shapes through a graph, node by node, in the graph's order. */
export class ShapeWalk {
  readonly #known = new Map<string, Value>()
  readonly #graph: Graph
  readonly #constants: ReadonlyMap<string, Tensor>
  readonly #outside: ShapeWalk | undefined

  /** `constants` may grow while the walk goes on; a subgraph's walk looks what it captures up in `outside`. */
  constructor(graph: Graph, constants: ReadonlyMap<string, Tensor> = graph.initializers, outside?: ShapeWalk) {
    this.#graph = graph
    this.#constants = constants
    this.#outside = outside
  }

  /** The tensor behind a constant. */
  constant(name: string): Tensor | undefined {
    return this.#constants.get(name) ?? this.#outside?.constant(name)
  }

  /** What is known of a value of the graph so far. */
  value(name: string): Value {
    const constant = this.#constants.get(name)
    if (constant !== undefined) return { name, type: constant.type, dims: constant.dims }
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const described = describeValue(this.#graph, name)
    const isUnknown = described.type === undefined && described.dims === undefined
    const value = isUnknown ? (this.#outside?.value(name) ?? described) : described
    this.#known.set(name, value)
    return value
  }

  /** Records what follows for the node's outputs; its operands must have been visited before. */
  visit(node: Node): readonly Value[] {
    const inferred = inferTypes({
      op: node.op,
      name: node.name,
      inputs: node.inputs.map((name) => (name === "" ? undefined : this.value(name))),
      attributes: node.attributes,
      outputs: node.outputs.length,
      constant: (value) => (value === undefined ? undefined : this.constant(value.name)),
    })
    return node.outputs.map((name, index) => {
      const described = this.value(name)
      const result = inferred[index]
      const value = {
        name,
        type: result?.type ?? described.type,
        dims: moreStatic(result?.dims, described.dims),
      }
      if (name !== "") this.#known.set(name, value)
      return value
    })
  }
}

/**
 * The graph with types and shapes of its intermediate values filled in as far as they follow from its inputs, weights
 * and constants. Operands that contradict each other end in `InvalidGraph`.
 */
export const inferShapes = (graph: Graph): Graph => {
  const walk = new ShapeWalk(graph)
  const values = new Map(graph.values)
  for (const node of graph.nodes) {
    for (const value of walk.visit(node)) {
      if (value.name !== "" && (value.type !== undefined || value.dims !== undefined)) values.set(value.name, value)
    }
  }
  return { ...graph, values }
}
