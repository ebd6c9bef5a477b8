import { describeValue, type Graph, int, type Node, reads, staticDims } from "@tandem/onnx"

/** The operator set of graphs that this project builds, and the first whose `DequantizeLinear` takes scales by blocks. */
const [plain, blocks] = [20, 21]

/** What means something else in the second of the two. */
const changed = "GroupNormalization"

/**
 * The graph with those of the named `bool` inputs as `uint8` ones that only choose between a value of their own shape and
 * 0; `Where(mask, x, 0)` becomes one product, mask · x.
 *
 * On the CPU `Where` makes both of its operands anew, the parts that are not chosen as zeros, and adds them up: three
 * passes and two tensors more. `DequantizeLinear` of bytes, each of them a block with a scale of its own, is their
 * product with 32-bit floats in one pass, and the mask stays of bytes. Results are equal but for the sign of zeros, and for
 * values that are not finite where the mask is 0.
 */
export const maskFactors = (graph: Graph, masks: readonly string[]): Graph => {
  if (masks.length === 0 || graph.opsets.get("") !== plain || graph.nodes.some(({ op }) => op === changed)) return graph
  const factors = new Set(masks)
  for (const { name } of graph.outputs) factors.delete(name)
  for (const node of graph.nodes) {
    const own = appliedMask(graph, node)
    for (const name of reads(node)) if (name !== own) factors.delete(name)
  }
  if (factors.size === 0) return graph
  return {
    ...graph,
    inputs: graph.inputs.map((input) => (factors.has(input.name) ? { ...input, type: "uint8" } : input)),
    nodes: graph.nodes.map((node) => {
      const [mask = "", x = "", zero = ""] = node.inputs
      if (!factors.has(mask)) return node
      const { dims: all = [] } = describeValue(graph, x)
      // ONNX Runtime makes one node of two that are written alike, and two that are not are to stay apart.
      const axis = describeValue(graph, zero).dims?.length === 0 ? 0 : -all.length
      return { ...node, op: "DequantizeLinear", inputs: [mask, x], attributes: { axis: int(axis), block_size: int(1) } }
    }),
    opsets: new Map(graph.opsets).set("", blocks),
  }
}

/** The mask of `Where(mask, x, 0)` where mask and x have one static shape of at least one axis. */
const appliedMask = (graph: Graph, { op, domain, inputs }: Node): string | undefined => {
  const [mask = "", x = "", y = ""] = inputs
  if (op !== "Where" || domain !== "" || mask === x) return undefined
  const dims = staticDims(describeValue(graph, mask).dims)
  const { type, dims: ofX } = describeValue(graph, x)
  const zero = graph.initializers.get(y)
  const isZero = zero !== undefined && zero.data.length === 1 && zero.data[0] === 0 && zero.dims.length <= 1
  const fits = dims !== undefined && dims.length > 0 && `${dims}` === `${staticDims(ofX)}`
  return type === "float32" && isZero && fits ? mask : undefined
}
