import {
  bytesPerElement,
  describeValue,
  elementCount,
  type Graph,
  intAttribute,
  type Node,
  staticDims,
} from "@tandem/onnx"

/**
 * Floating-point operations of a graph's matrix products, each multiplication and each addition counted as one. Values
 * must have static shapes; a product whose shape is not known counts nothing.
 */
export const productFlops = (graph: Graph): number => {
  const dimsOf = (name: string | undefined) => staticDims(describeFast(graph, name ?? ""))
  return graph.nodes.reduce((sum, node) => sum + nodeFlops(node, dimsOf), 0)
}

const describeFast = (graph: Graph, name: string) =>
  graph.initializers.get(name)?.dims ?? graph.values.get(name)?.dims ?? describeValue(graph, name).dims

type DimsOf = (name: string | undefined) => readonly number[] | undefined

const nodeFlops = (node: Node, dimsOf: DimsOf): number => {
  const [a, b] = [dimsOf(node.inputs[0]), dimsOf(node.inputs[1])]
  const out = dimsOf(node.outputs[0])
  if (a === undefined || out === undefined) return 0
  const size = elementCount(out)
  switch (node.op) {
    case "MatMul":
    case "MatMulInteger":
      return 2 * size * (a.at(-1) ?? 1)
    case "FusedMatMul":
      return 2 * size * ((intAttribute(node, "transA", 0) === 1 ? a.at(-2) : a.at(-1)) ?? 1)
    case "Gemm":
      return 2 * size * ((intAttribute(node, "transA", 0) === 1 ? a[0] : a[1]) ?? 1)
    case "MatMulNBits":
      return 2 * size * intAttribute(node, "K", a.at(-1) ?? 1)
    case "Conv":
      return b === undefined ? 0 : 2 * size * elementCount(b.slice(1))
    case "ConvTranspose":
      return b === undefined ? 0 : 2 * elementCount(a) * elementCount(b.slice(1))
    case "Einsum":
      return 2 * einsumSize(node, node.inputs.map(dimsOf))
    default:
      return 0
  }
}

/** The product of the sizes of all letters of an equation. */
const einsumSize = (node: Node, operands: readonly (readonly number[] | undefined)[]): number => {
  const equation = node.attributes["equation"]
  if (equation?.kind !== "string") return 0
  const sizes = new Map<string, number>()
  const terms = equation.value.replace(/\s/g, "").split("->")[0]?.split(",") ?? []
  for (const [index, term] of terms.entries()) {
    for (const [axis, letter] of [...term].entries()) sizes.set(letter, operands[index]?.[axis] ?? 1)
  }
  return elementCount([...sizes.values()])
}

/**
 * The most bytes of computed values that are needed at one time when the nodes run in their order: a value lives from
 * the node that makes it to the last one that reads it. Those in `kept` do not count. Runtimes reuse buffers in this
 * way; what their kernels need for themselves comes on top.
 */
export const peakBytes = (graph: Graph, kept: ReadonlySet<string>): number => {
  const lastRead = new Map<string, number>()
  for (const [index, node] of graph.nodes.entries()) for (const name of node.inputs) lastRead.set(name, index)
  for (const { name } of graph.outputs) lastRead.set(name, graph.nodes.length)
  const ending = new Map<number, number>()
  let [live, peak] = [0, 0]
  for (const [index, node] of graph.nodes.entries()) {
    for (const name of node.outputs) {
      const bytes = kept.has(name) ? 0 : bytesOfValue(graph, name)
      const end = lastRead.get(name) ?? index
      live += bytes
      ending.set(end, (ending.get(end) ?? 0) + bytes)
    }
    peak = Math.max(peak, live)
    live -= ending.get(index) ?? 0
  }
  return peak
}

const bytesOfValue = (graph: Graph, name: string): number => {
  const value = graph.values.get(name)
  const dims = staticDims(value?.dims)
  if (value?.type === undefined || value.type === "string" || dims === undefined) return 0
  return elementCount(dims) * bytesPerElement(value.type)
}
