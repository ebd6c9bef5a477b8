import { consumers, type Graph, intAttribute, type Node, producers, reads } from "../Graph.ts"
import { elementCount, toNumbers } from "../Tensor.ts"
import { fromBfloat16, fromFloat16 } from "./half.ts"

/** Nodes of a graph that one operator could stand for, and that operator. */
export interface Match {
  /** Every node of the pattern, the last one included. */
  readonly nodes: ReadonlySet<Node>
  readonly replacement: Node
}

/** A graph as patterns look at it: who makes a value, who reads it, which scalar it is. */
export class PatternGraph {
  readonly graph: Graph
  readonly #made: ReadonlyMap<string, Node>
  readonly #readers: ReadonlyMap<string, readonly Node[]>
  readonly #pinned: ReadonlySet<string>

  constructor(graph: Graph) {
    this.graph = graph
    this.#made = producers(graph)
    this.#readers = consumers(graph)
    const captured = graph.nodes.flatMap((node) => reads(node).filter((name) => !node.inputs.includes(name)))
    this.#pinned = new Set([...graph.outputs.map((value) => value.name), ...captured])
  }

  /** The node of ONNX's own operator `op` that makes a value. */
  maker(name: string | undefined, op?: string): Node | undefined {
    const node = name === undefined ? undefined : this.#made.get(name)
    return node !== undefined && node.domain === "" && (op === undefined || node.op === op) ? node : undefined
  }

  readers(name: string): readonly Node[] {
    return this.#readers.get(name) ?? []
  }

  /** The number behind a constant with one element. */
  scalar(name: string | undefined): number | undefined {
    const value = this.graph.initializers.get(name ?? "")
    if (value === undefined || value.type === "string" || elementCount(value.dims) !== 1) return undefined
    const raw = toNumbers(value)[0]!
    return value.type === "float16" ? fromFloat16(raw) : value.type === "bfloat16" ? fromBfloat16(raw) : raw
  }

  /** How far a constant of the graph may be from the exact one: its type's rounding. */
  isClose(found: number | undefined, exact: number, name?: string): boolean {
    const half = this.graph.initializers.get(name ?? "")?.type === "float16"
    return found !== undefined && Math.abs(found - exact) <= (half ? 2e-3 : 1e-5) * Math.abs(exact)
  }

  /** The axes of a reduction that keeps its dimensions. */
  keptAxes(node: Node): readonly number[] | undefined {
    const axes = this.graph.initializers.get(node.inputs[1] ?? "")
    return intAttribute(node, "keepdims", 1) === 1 && axes !== undefined ? toNumbers(axes) : undefined
  }

  /** Whether nobody but the match's own nodes reads what they make, the last one's output excepted. */
  isPrivate({ nodes, replacement }: Match): boolean {
    const results = new Set(replacement.outputs)
    for (const node of nodes) {
      for (const name of node.outputs) {
        if (name === "" || results.has(name)) continue
        if (this.#pinned.has(name) || this.readers(name).some((reader) => !nodes.has(reader))) return false
      }
    }
    return true
  }
}
