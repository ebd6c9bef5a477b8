import { describeValue, type Graph, inferShapes, intAttribute, type Node, reads, stringAttribute } from "@tandem/onnx"
import { absentBiases } from "../internal/AbsentBiases.ts"
import { type PositionTable, positionTables } from "../internal/PositionTables.ts"

/**
 * Stored float tensors that say how positions or masks are to be read and are no weights, by name with the reason: rotary
 * frequencies, slopes of ALiBi, tables of angles, biases and masks. Exporters write them as initializers like any other,
 * so graph and values have to tell, not the name.
 *
 * Values come in three kinds: what follows from the file alone, what follows from integer inputs and shapes (positions,
 * masks), and what depends on weights or on inputs of floats, which may be embeddings. A float tensor of the file is a
 * setting where arithmetic combines it, or what is computed from it alone, with values of the second kind and with none of
 * the third, and where sines or cosines are taken of what the file alone holds. It is a weight where such values are
 * looked up in it, where it is the scale or bias of a normalisation, where a product contracts more than one of its
 * elements, and wherever an operator is not known here.
 *
 * By their values are told: tables of positions (`positionTables`), and zeros in the place of a bias that a normalisation
 * does not have (`absentBiases`).
 */
export const settingsOf = (graph: Graph): ReadonlyMap<string, string> => {
  const tables = positionTables(graph.initializers)
  const walk = new Walk(withShapes(graph), tables)
  for (const node of graph.nodes) walk.visit(node)
  const settings = new Map<string, string>()
  for (const [name, { reason }] of tables) {
    if (graph.initializers.get(name)?.type === "float32") settings.set(name, reason)
  }
  for (const name of absentBiases(graph)) settings.set(name, "zeros in the place of a bias that there is not")
  for (const [name, reason] of walk.combined) if (!walk.weights.has(name)) settings.set(name, reason)
  return settings
}

/** The graph with the shapes that follow by themselves, as far as they do. */
const withShapes = (graph: Graph): Graph => {
  try {
    return inferShapes(graph)
  } catch {
    return graph
  }
}

/** What a value follows from, and the stored floats that it was computed from alone. */
type Origin =
  | { readonly from: "file"; readonly tensors: Tensors }
  | { readonly from: "positions" }
  | { readonly from: "weights" }

const positions: Origin = { from: "positions" }
const weights: Origin = { from: "weights" }

/** Names of stored tensors, joined without being copied: what is computed from a thousand of them names them all. */
interface Tensors {
  readonly name?: string
  readonly parts: readonly Tensors[]
  readonly isEmpty: boolean
}

const nothing: Tensors = { parts: [], isEmpty: true }

const joined = (all: readonly Tensors[]): Tensors => {
  const parts = [...new Set(all)].filter(({ isEmpty }) => !isEmpty)
  if (parts.length < 2) return parts[0] ?? nothing
  return { parts, isEmpty: false }
}

/** Calls `use` with every name, those of what is in `done` already left out. */
const eachName = (tensors: Tensors, done: Set<Tensors>, use: (name: string) => void): void => {
  const open = [tensors]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (done.has(next)) continue
    done.add(next)
    if (next.name !== undefined) use(next.name)
    for (const part of next.parts.toReversed()) open.push(part)
  }
}

/** Operators that move or convert elements of their first operand; the others say how. */
const movements: ReadonlySet<string> = new Set([
  ...["Cast", "Expand", "Flatten", "Identity", "Pad", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose"],
  ...["Trilu", "Unsqueeze", "DepthToSpace", "SpaceToDepth"],
])

const lookups: ReadonlySet<string> = new Set(["Gather", "GatherElements", "GatherND"])

const angles: ReadonlySet<string> = new Set(["Sin", "Cos"])

const shapes: ReadonlySet<string> = new Set(["Shape", "Size", "ConstantOfShape"])

/** Element by element, or one beside the other. */
const elementwise: ReadonlySet<string> = new Set([
  ...["Add", "Sub", "Mul", "Div", "Pow", "Mod", "Min", "Max", "Sum", "Mean", "Where", "Concat"],
  ...["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"],
])

class Walk {
  readonly weights = new Set<string>()
  /** What makes a tensor a setting, by its name. */
  readonly combined = new Map<string, string>()
  readonly #graph: Graph
  readonly #origins = new Map<string, Origin>()
  readonly #seenAsWeights = new Set<Tensors>()
  readonly #seenAsSettings = new Set<Tensors>()

  constructor(graph: Graph, tables: ReadonlyMap<string, PositionTable>) {
    this.#graph = graph
    for (const { name, type } of graph.inputs) {
      this.#origins.set(name, type === "float32" || type === "float16" || type === "bfloat16" ? weights : positions)
    }
    for (const [name, { type, data }] of graph.initializers) {
      const table = tables.get(name)
      const isOpen = type === "float32" && data.length > 1 && table === undefined
      const stored: Origin = { from: "file", tensors: isOpen ? { name, parts: [], isEmpty: false } : nothing }
      this.#origins.set(name, table?.kind === "distances" ? positions : stored)
    }
  }

  visit(node: Node): void {
    if (node.op === "Constant" && node.domain === "") return
    const origin = this.#outcome(node)
    for (const output of node.outputs) if (output !== "") this.#origins.set(output, origin)
  }

  #origin(name: string): Origin {
    return this.#origins.get(name) ?? { from: "file", tensors: nothing }
  }

  #outcome(node: Node): Origin {
    const { op, domain } = node
    const operands = reads(node).map((name) => this.#origin(name))
    const first = this.#origin(node.inputs[0] ?? "")
    if (domain === "" && shapes.has(op)) return first.from === "file" ? { from: "file", tensors: nothing } : positions
    if (domain === "" && movements.has(op)) return first
    const tensors = joined(operands.flatMap((origin) => (origin.from === "file" ? [origin.tensors] : [])))
    if (operands.some(({ from }) => from === "weights")) return this.#asWeights(tensors)
    if (operands.every(({ from }) => from === "file")) {
      return Object.values(node.attributes).some(({ kind }) => kind === "graph")
        ? this.#asWeights(tensors)
        : { from: "file", tensors: angles.has(op) ? this.#asSettings(tensors, `${op} takes it for angles`) : tensors }
    }
    if (tensors.isEmpty) return domain === "" && lookups.has(op) ? first : positions
    if (domain === "" && this.#combines(node)) {
      this.#asSettings(tensors, `${op} combines it with positions or masks alone`)
      return positions
    }
    return this.#asWeights(tensors)
  }

  #asWeights(tensors: Tensors): Origin {
    eachName(tensors, this.#seenAsWeights, (name) => this.weights.add(name))
    return weights
  }

  #asSettings(tensors: Tensors, reason: string): Tensors {
    eachName(tensors, this.#seenAsSettings, (name) => {
      if (!this.combined.has(name)) this.combined.set(name, reason)
    })
    return nothing
  }

  /** Whether the operator, of file and positions alone, only scales or shifts what is known of positions. */
  #combines(node: Node): boolean {
    if (elementwise.has(node.op)) return true
    if (node.op === "MatMul") return this.#contracted(node, 0) === 1
    if (node.op === "Gemm")
      return node.inputs.length === 2 && this.#contracted(node, intAttribute(node, "transA", 0)) === 1
    return node.op === "Einsum" && keepsIndices(stringAttribute(node, "equation", ""))
  }

  /** How many elements a product adds up, where either operand's shape says so. */
  #contracted(node: Node, transposed: number): number | undefined {
    const [a = "", b = ""] = node.inputs
    const left = describeValue(this.#graph, a).dims
    const right = describeValue(this.#graph, b).dims
    const inner = left?.at(transposed === 1 ? -2 : -1)
    if (typeof inner === "number") return inner
    const other = right?.at(right.length === 1 || intAttribute(node, "transB", 0) === 1 ? -1 : -2)
    return typeof other === "number" ? other : undefined
  }
}

/** Whether no index of the equation is summed over, so that it is an outer product. */
const keepsIndices = (equation: string): boolean => {
  const [operands = "", result] = equation.replaceAll(/\s/g, "").split("->")
  return (
    result !== undefined &&
    operands
      .replaceAll(/[,.]/g, "")
      .split("")
      .every((index) => result.includes(index))
  )
}
