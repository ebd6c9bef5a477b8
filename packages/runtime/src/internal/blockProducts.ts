import {
  consumers,
  describeValue,
  type Graph,
  int,
  int64,
  intAttribute,
  ints,
  type Node,
  producers,
  staticDims,
  string,
  type Tensor,
  toNumbers,
} from "@tandem/onnx"

/** The operator sets that have `DequantizeLinear` by blocks, or become the first of these without a change of meaning. */
const [plain, blocks] = [20, 21]
const changed = "GroupNormalization"

/**
 * The graph with each product by a matrix of few bits that is no constant by `DequantizeLinear`: x · Wᵀ (`MatMulNBits`),
 * and dY · W with W as all of its rows (`GatherBlockQuantized`, as the gradient of the first reads it).
 *
 * On the CPU `MatMulNBits` takes 5 ns to make a number of a matrix that it could not pack beforehand, looking rows up takes
 * 12, and `DequantizeLinear` 1 to 2. That knows bytes alone, so of 4 bits the lower and the upper halves of all bytes, which
 * are every other column of W, are a product each.
 */
export const blockProducts = (graph: Graph): Graph => {
  const version = graph.opsets.get("")
  const isKnown = version === blocks || (version === plain && !graph.nodes.some(({ op }) => op === changed))
  const products = isKnown ? productsOf(graph) : new Map<Node, BlockProduct>()
  if (products.size === 0) return graph
  const lookups = new Set([...products.values()].map(({ lookup }) => lookup))
  const initializers = new Map(graph.initializers)
  const nodes = graph.nodes.flatMap((node) => {
    const product = products.get(node)
    return product === undefined ? (lookups.has(node) ? [] : [node]) : new Fragment(node, product, initializers).nodes
  })
  return { ...graph, nodes, initializers, opsets: new Map(graph.opsets).set("", blocks) }
}

/** x · Wᵀ or dY · W, W `[outputs, inputs]`. */
interface BlockProduct {
  /** What makes W of all of its rows; W is read as it is where absent. */
  readonly lookup: Node | undefined
  readonly operands: readonly [codes: string, scales: string, zeroPoints: string]
  readonly bits: 4 | 8
  readonly blockSize: number
  /** Of x or dY, any number of axes. */
  readonly dims: readonly number[]
  readonly outputs: number
  readonly inputs: number
}

const productsOf = (graph: Graph): ReadonlyMap<Node, BlockProduct> => {
  const products = new Map<Node, BlockProduct>()
  if (!graph.nodes.some(({ op }) => op === "MatMulNBits" || op === "GatherBlockQuantized")) return products
  const [makers, readers] = [producers(graph), consumers(graph)]
  const given = new Set(graph.outputs.map(({ name }) => name))
  for (const node of graph.nodes) {
    const product = node.op === "MatMulNBits" ? forward(graph, node) : backward(graph, node, makers)
    const isOwn =
      product?.lookup === undefined || !node.inputs.slice(1).some((w) => given.has(w) || readers.get(w)?.length !== 1)
    if (product !== undefined && isOwn) products.set(node, product)
  }
  return products
}

const forward = (graph: Graph, node: Node): BlockProduct | undefined => {
  const [x = "", codes = "", scales = "", zeroPoints = "", order = "", bias = ""] = node.inputs
  const [inputs, outputs, blockSize] = ["K", "N", "block_size"].map((name) => intAttribute(node, name, 0))
  const bits = intAttribute(node, "bits", 4)
  const dims = staticDims(describeValue(graph, x).dims)
  const isPlain =
    order === "" && bias === "" && (zeroPoints === "" || describeValue(graph, zeroPoints).type === "uint8")
  const isFloat = describeValue(graph, scales).type === "float32"
  if (!isPlain || !isFloat || dims === undefined || dims.includes(0) || (bits !== 4 && bits !== 8)) return undefined
  // What ONNX Runtime can pack beforehand is fastest as it is
  if (graph.initializers.has(codes) || inputs! % blockSize! !== 0) return undefined
  return {
    lookup: undefined,
    operands: [codes, scales, zeroPoints],
    bits,
    blockSize: blockSize!,
    dims,
    outputs: outputs!,
    inputs: inputs!,
  }
}

const backward = (graph: Graph, node: Node, makers: ReadonlyMap<string, Node>): BlockProduct | undefined => {
  const [dY = "", w = ""] = node.inputs
  const lookup = makers.get(w)
  if (node.op !== "MatMul" || lookup?.op !== "GatherBlockQuantized") return undefined
  const [codes = "", rows = "", scales = "", zeroPoints = ""] = lookup.inputs
  const dims = staticDims(describeValue(graph, dY).dims)
  const sizes = staticDims(describeValue(graph, scales).dims)
  const bits = intAttribute(lookup, "bits", 4)
  const blockSize = intAttribute(lookup, "block_size", 128)
  const outputs = dims?.at(-1) ?? 0
  const isAll =
    intAttribute(lookup, "gather_axis", 0) === 0 &&
    intAttribute(lookup, "quantize_axis", 1) === 1 &&
    countsTo(graph.initializers.get(rows), outputs)
  const isFloat = describeValue(graph, scales).type === "float32"
  if (!isAll || !isFloat || dims?.length !== 2 || dims.includes(0) || (bits !== 4 && bits !== 8)) return undefined
  if (sizes?.length !== 2 || sizes[0] !== outputs || graph.initializers.has(codes)) return undefined
  return {
    lookup,
    operands: [codes, scales, zeroPoints],
    bits,
    blockSize,
    dims,
    outputs,
    inputs: sizes[1]! * blockSize,
  }
}

/** Whether a tensor lists 0, 1, 2 … up to a count. */
const countsTo = (indices: Tensor | undefined, count: number): boolean =>
  indices?.dims.length === 1 && indices.dims[0] === count && toNumbers(indices).every((value, at) => value === at)

/** The nodes that compute a product. */
class Fragment {
  readonly nodes: readonly Node[]
  readonly #made: Node[] = []
  readonly #stem: string
  readonly #initializers: Map<string, Tensor>

  constructor(node: Node, product: BlockProduct, initializers: Map<string, Tensor>) {
    this.#stem = node.outputs[0] ?? ""
    this.#initializers = initializers
    if (product.lookup === undefined) this.#forward(node.inputs[0] ?? "", product)
    else this.#backward(node.inputs[0] ?? "", product)
    const last = this.#made.length - 1
    this.nodes = this.#made.map((each, index) =>
      index === last ? { ...each, name: node.name, outputs: node.outputs } : each,
    )
  }

  #add(op: string, what: string, inputs: readonly string[], attributes: Node["attributes"] = {}): string {
    const name = `${this.#stem}/${what}`
    this.#made.push({ op, domain: "", name, inputs, outputs: [name], attributes })
    return name
  }

  #constant(name: string, value: Tensor): string {
    this.#initializers.set(`blocks/${name}`, value)
    return `blocks/${name}`
  }

  #byte(value: number): string {
    return this.#constant(`byte ${value}`, { type: "uint8", dims: [], data: Uint8Array.of(value) })
  }

  #sizes(sizes: readonly number[]): string {
    return this.#constant(`sizes ${sizes}`, int64([sizes.length], sizes))
  }

  #reshape(what: string, value: string, dims: readonly number[]): string {
    return this.#add("Reshape", what, [value, this.#sizes(dims)])
  }

  /** The lower and the upper half of each byte. */
  #halves(what: string, bytes: string): readonly string[] {
    return [
      this.#add("BitwiseAnd", `${what} low`, [bytes, this.#byte(15)]),
      this.#add("BitShift", `${what} high`, [bytes, this.#byte(4)], { direction: string("RIGHT") }),
    ]
  }

  /** Zero points `[outputs, blocks]`, a byte each. */
  #zeroPoints({ operands: [, , packed], bits, blockSize, outputs, inputs }: BlockProduct): string {
    const perRow = inputs / blockSize
    if (packed === "") {
      const data = new Uint8Array(outputs * perRow).fill(2 ** (bits - 1))
      return this.#constant(`zeros ${[bits, outputs, perRow]}`, { type: "uint8", dims: [outputs, perRow], data })
    }
    if (bits === 8) return this.#reshape("zeros", packed, [outputs, perRow])
    const bytes = this.#reshape("zeros packed", packed, [outputs, -1, 1])
    const pairs = this.#add("Concat", "zeros in pairs", this.#halves("zeros", bytes), { axis: int(2) })
    const padded = this.#reshape("zeros padded", pairs, [outputs, -1])
    return this.#add("Slice", "zeros", [padded, this.#sizes([0]), this.#sizes([perRow]), this.#sizes([1])])
  }

  /** W as one matrix, or its even and its odd columns, each made when it is asked for. */
  #weights(product: BlockProduct): readonly (() => string)[] {
    const { operands, bits, blockSize, outputs, inputs } = product
    const points = this.#zeroPoints(product)
    const scales = this.#reshape("scales", operands[1], [outputs, inputs / blockSize])
    const codes = this.#reshape("codes", operands[0], [outputs, (inputs * bits) / 8])
    const whole = (what: string, numbers: string): string =>
      this.#add("DequantizeLinear", what, [numbers, scales, points], {
        axis: int(1),
        block_size: int((blockSize * bits) / 8),
      })
    if (bits === 8) return [() => whole("weight", codes)]
    return [0, 1].map(
      (half) => () => whole(["even weight", "odd weight"][half]!, this.#halves(`codes ${half}`, codes)[half]!),
    )
  }

  #forward(x: string, product: BlockProduct): void {
    const { dims, outputs, inputs } = product
    const rows = dims.slice(0, -1).reduce((size, dim) => size * dim, 1)
    const weights = this.#weights(product)
    const parts = weights.length === 1 ? [this.#reshape("x", x, [rows, inputs])] : this.#columns(x, rows, inputs)
    let sum: string | undefined
    for (const [index, weight] of weights.entries()) {
      const operands = [parts[index]!, weight(), ...(sum === undefined ? [] : [sum])]
      sum = this.#add("Gemm", `product ${index}`, operands, { transB: int(1) })
    }
    this.#reshape("result", sum!, [...dims.slice(0, -1), outputs])
  }

  /** The even and the odd columns of x. */
  #columns(x: string, rows: number, inputs: number): readonly string[] {
    const pairs = this.#reshape("x in pairs", x, [rows, inputs / 2, 2])
    const apart = this.#add("Transpose", "x apart", [pairs], { perm: ints([2, 0, 1]) })
    return [0, 1].map((half) =>
      this.#reshape(
        `x ${half}`,
        this.#add("Slice", `x half ${half}`, [apart, this.#sizes([half]), this.#sizes([half + 1]), this.#sizes([0])]),
        [rows, inputs / 2],
      ),
    )
  }

  #backward(dY: string, product: BlockProduct): void {
    const { dims, inputs } = product
    const products = this.#weights(product).map((weight, index) =>
      this.#add("MatMul", `product ${index}`, [dY, weight()]),
    )
    if (products.length === 1) return
    const apart = products.map((each, index) => this.#reshape(`apart ${index}`, each, [1, dims[0]!, inputs / 2]))
    const both = this.#add("Concat", "both", apart, { axis: int(0) })
    this.#reshape("result", this.#add("Transpose", "columns", [both], { perm: ints([1, 2, 0]) }), [dims[0]!, inputs])
  }
}
