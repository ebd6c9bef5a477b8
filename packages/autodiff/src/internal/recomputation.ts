import { elementCount, type Graph, type GraphBuilder, isRandom, type Node, staticDims, type Value } from "@tandem/onnx"
import type { Block } from "../Recompute.ts"
import type { Gradients } from "./gradients.ts"

/** Forward values as the gradient of a node reads them. */
export interface ForwardValues {
  readonly values: ReadonlyMap<string, Value>
  /** Outputs of the node at a place of the graph, saved statistics included. */
  readonly results: (index: number) => readonly Value[]
}

export interface RecomputationParts {
  readonly g: GraphBuilder
  readonly graph: Graph
  /** Blocks whose inner values are not kept, in order. */
  readonly blocks: readonly Block[]
  readonly forward: ForwardValues
  readonly onPath: ReadonlySet<string>
  readonly gradients: Gradients
  /** Copies a node into the graph that is being built: reads and sets `values`, gives all outputs. */
  readonly replay: (node: Node, values: Map<string, Value>) => readonly Value[]
}

/**
 * Forward values of blocks, computed again from what is kept, once the gradients that come into the block are there.
 *
 * The barrier: every kept value on the path is read through `Where(condition, value, value)`, whose condition is made
 * of one element of each gradient that the blocks behind have given off. It is the value, bit for bit, but neither a
 * builder nor a provider can know, so the nodes behind it are not merged with those of the forward pass, and they run
 * only when the blocks behind are done and their values can be let go. It costs a copy of what crosses into the block.
 */
export class Recomputation {
  readonly #parts: RecomputationParts
  readonly #makers: ReadonlyMap<string, number>
  readonly #lastReaders: ReadonlyMap<string, number>
  readonly #touched = new Set<string>()
  #current: { readonly block: Block; readonly values: ForwardValues } | undefined

  constructor(parts: RecomputationParts) {
    this.#parts = parts
    const { nodes, outputs } = parts.graph
    this.#makers = new Map(nodes.flatMap((node, index) => node.outputs.map((name) => [name, index] as const)))
    this.#lastReaders = new Map([
      ...nodes.flatMap((node, index) => node.inputs.map((name) => [name, index] as const)),
      ...outputs.map(({ name }) => [name, nodes.length] as const),
    ])
  }

  /** What the gradient of the node at `index` reads; to be asked from the last node to the first. */
  at(index: number): ForwardValues {
    if (this.#current !== undefined && index >= this.#current.block.start) return this.#current.values
    const block = this.#parts.blocks.find(({ start, end }) => start <= index && index < end)
    if (block === undefined) return this.#parts.forward
    this.#current = { block, values: this.#recompute(block) }
    return this.#current.values
  }

  /** Says that a gradient was added to that of `name`. */
  touch(name: string): void {
    this.#touched.add(name)
  }

  #recompute(block: Block): ForwardValues {
    const { g, graph, forward, onPath, replay } = this.#parts
    const condition = this.#condition(block)
    const isKept = (name: string): boolean => {
      const maker = this.#makers.get(name) ?? -1
      return maker < block.start || (this.#lastReaders.get(name) ?? -1) >= block.end || isRandom(graph.nodes[maker]!)
    }
    const repeated = new Map(forward.values)
    const values = new Map(forward.values)
    const results = new Map<number, readonly Value[]>()
    const guarded = new Set<string>()
    for (let index = block.start; index < block.end; index++) {
      const node = graph.nodes[index]!
      for (const name of node.inputs) {
        if (guarded.has(name) || !this.#makers.has(name) || !onPath.has(name) || !isKept(name)) continue
        guarded.add(name)
        const value = forward.values.get(name)!
        repeated.set(name, g.where(condition, value, value))
      }
      const again = isRandom(node) ? forward.results(index) : replay(node, repeated)
      // A gradient may read a kept result as it is; nodes of this block read it through the barrier.
      const merged = again.map((value, position) => {
        const name = node.outputs[position] ?? ""
        return name !== "" && isKept(name) ? forward.values.get(name)! : value
      })
      for (const [position, name] of node.outputs.entries()) if (name !== "") values.set(name, merged[position]!)
      results.set(index, merged)
    }
    return { values, results: (index) => results.get(index) ?? forward.results(index) }
  }

  /** A truth value that is there once everything is that the blocks behind `block` add to gradients of other values. */
  #condition(block: Block): Value {
    const { g, gradients } = this.#parts
    const names = [...this.#touched].filter((name) => (this.#makers.get(name) ?? -1) < block.end && gradients.has(name))
    this.#touched.clear()
    const elements = names.flatMap((name) => {
      const value = gradients.total(name)
      const dims = staticDims(value.dims) ?? []
      if (elementCount(dims) === 0) return []
      const axes = [...dims.keys()]
      const [first, second] = [axes.map(() => 0), axes.map(() => 1)]
      const element =
        axes.length === 0 ? value : g.op("Slice", [value, g.indices(first), g.indices(second), g.indices(axes)])[0]!
      return [g.cast(g.reshape(element, []), "float32")]
    })
    return g.cast(
      elements.reduce((sum, element) => g.add(sum, element)),
      "bool",
    )
  }
}
