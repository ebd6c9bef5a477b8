import {
  describeValue,
  floatAttribute,
  type Graph,
  intAttribute,
  intsAttribute,
  type Node,
  producers,
  staticDims,
  type Tensor,
  toNumbers,
} from "@tandem/onnx"
import { axisOf, sameDims } from "./shapes.ts"

/** One weight within the matrix that a product multiplies by. */
export interface WeightPart {
  /** Name of the input or initializer; undefined for what is no weight. */
  readonly weight: string | undefined
  /** Whether the weight is stored as `[out, in]`, else `[in, out]`. */
  readonly outputFirst: boolean
  /** What the weight is multiplied by on its way. */
  readonly factor: number
  readonly outputs: number
  /** Whether the product reads codes of the weight's numbers. */
  readonly quantized: boolean
  /** How the codes are to be read, where they are in blocks. */
  readonly blocks?: CodeBlocks
  /** Where the part is a block of a weight that an exporter joined: its first output, and the whole weight's outputs. */
  readonly block?: { readonly module: string; readonly start: number; readonly of: number }
}

/** Codes in blocks, as `MatMulNBits` reads them, and the names of what they are read by. */
export interface CodeBlocks {
  readonly bits: 4 | 8
  readonly blockSize: number
  readonly scales: string
  readonly zeroPoints: string | undefined
}

/** A product of some values by a matrix of weights, `[in, out]`; several weights stand side by side. */
export interface LinearSite {
  readonly node: Node
  /** Whether the values are a matrix `[in, rows]`. */
  readonly turned: boolean
  readonly inputs: number
  readonly parts: readonly WeightPart[]
}

/** A matrix as a product reads it: weights one after the other along `axis`, or one alone. */
interface Matrix {
  readonly dims: readonly number[]
  readonly axis: 0 | 1 | undefined
  readonly parts: readonly { weight: string | undefined; turned: boolean; factor: number; dims: readonly number[] }[]
  readonly quantized: boolean
}

/**
 * The products of a graph whose matrix is made of weights (inputs and initializers of rank 2), however they reach it:
 * as they are, transposed, scaled by a constant, converted, decoded, or several joined along the outputs.
 */
export const linearSites = (graph: Graph): readonly LinearSite[] => {
  const read = matrixReader(graph)
  return graph.nodes.flatMap((node) => {
    if (node.op === "MatMulNBits") return quantizedSite(graph, node)
    const turns = transposes(node)
    const matrix = turns === undefined ? undefined : read(node.inputs[1] ?? "")
    if (turns === undefined || matrix === undefined) return []
    const outputAxis = turns.b ? 0 : 1
    if (matrix.parts.length > 1 && matrix.axis !== outputAxis) return []
    const alpha = node.op === "MatMul" ? 1 : floatAttribute(node, "alpha", 1)
    const parts = matrix.parts.map(
      ({ weight, turned, factor, dims }): WeightPart => ({
        weight,
        outputFirst: turns.b !== turned,
        factor: factor * alpha,
        outputs: dims[outputAxis]!,
        quantized: matrix.quantized,
      }),
    )
    if (parts.every(({ weight }) => weight === undefined)) return []
    return [{ node, turned: turns.a, inputs: matrix.dims[1 - outputAxis]!, parts }]
  })
}

const transposes = (node: Node): { readonly a: boolean; readonly b: boolean } | undefined => {
  const flags = { a: intAttribute(node, "transA", 0) === 1, b: intAttribute(node, "transB", 0) === 1 }
  if (node.domain === "" && node.op === "MatMul") return { a: false, b: false }
  if (node.domain === "" && node.op === "Gemm") return flags
  // Values of any rank whose last two axes would have to change places are nobody's linear layer
  return node.op === "FusedMatMul" && !flags.a ? flags : undefined
}

const quantizedSite = (graph: Graph, node: Node): readonly LinearSite[] => {
  const weight = node.inputs[1] ?? ""
  const outputs = intAttribute(node, "N", 0)
  if (!graph.initializers.has(weight) && !graph.inputs.some(({ name }) => name === weight)) return []
  const part = { weight, outputFirst: true, factor: 1, outputs, quantized: true, ...codeBlocks(node) }
  return [{ node, turned: false, inputs: intAttribute(node, "K", 0), parts: [part] }]
}

const codeBlocks = (node: Node): { readonly blocks?: CodeBlocks } => {
  const [, , scales = "", zeroPoints = "", order = ""] = node.inputs
  const bits = intAttribute(node, "bits", 4)
  if ((bits !== 4 && bits !== 8) || order !== "") return {}
  const blockSize = intAttribute(node, "block_size", 0)
  return { blocks: { bits, blockSize, scales, zeroPoints: zeroPoints === "" ? undefined : zeroPoints } }
}

/** Follows a value back to the weights that it is made of; undefined for what is no matrix. */
const matrixReader = (graph: Graph): ((name: string) => Matrix | undefined) => {
  const makers = producers(graph)
  const inputs = new Set(graph.inputs.map(({ name }) => name))
  const dimsOf = (name: string): readonly number[] | undefined => {
    const dims = staticDims(describeValue(graph, name).dims)
    return dims?.length === 2 ? dims : undefined
  }
  const leaf = (name: string, weight: string | undefined, quantized = false): Matrix | undefined => {
    const dims = dimsOf(name)
    if (dims === undefined) return undefined
    return { dims, axis: undefined, quantized, parts: [{ weight, turned: false, factor: 1, dims }] }
  }
  const read = (name: string): Matrix | undefined => {
    const maker = makers.get(name)
    if (maker === undefined) return leaf(name, inputs.has(name) || graph.initializers.has(name) ? name : undefined)
    const [first = "", second = ""] = maker.inputs
    switch (maker.domain === "" ? maker.op : "") {
      case "Identity":
      case "Cast":
        return read(first)
      case "Transpose": {
        const source = read(first)
        const perm = intsAttribute(maker, "perm") ?? [1, 0]
        return source === undefined || perm[0] === 0 ? source : flipped(source)
      }
      case "Reshape": {
        const source = read(first)
        const dims = dimsOf(name) ?? numbers(graph.initializers.get(second))
        return source !== undefined && dims !== undefined && sameDims(source.dims, dims)
          ? source
          : leaf(name, undefined)
      }
      case "Mul": {
        const [source, factor] = [
          [first, second],
          [second, first],
        ].flatMap(([a, b]) => {
          const constant = numbers(graph.initializers.get(b!))
          return constant?.length === 1 ? [[a!, constant[0]!] as const] : []
        })[0] ?? ["", 1]
        const matrix = source === "" ? undefined : read(source)
        return matrix === undefined ? leaf(name, undefined) : scaled(matrix, factor)
      }
      case "Concat": {
        const matrices = maker.inputs.map(read)
        return joined(matrices, intAttribute(maker, "axis", 0)) ?? leaf(name, undefined)
      }
      case "DequantizeLinear":
        return makers.has(first) ? leaf(name, undefined) : leaf(first, first, true)
      default:
        return leaf(name, undefined)
    }
  }
  return read
}

const numbers = (value: Tensor | undefined): readonly number[] | undefined =>
  value === undefined || value.data.length > 4 || value.type === "string" ? undefined : toNumbers(value)

const flipped = ({ dims, axis, parts, quantized }: Matrix): Matrix => ({
  dims: [...dims].reverse(),
  axis: axis === undefined ? undefined : axis === 0 ? 1 : 0,
  parts: parts.map((part) => ({ ...part, turned: !part.turned, dims: [...part.dims].reverse() })),
  quantized,
})

const scaled = (matrix: Matrix, factor: number): Matrix => ({
  ...matrix,
  parts: matrix.parts.map((part) => ({ ...part, factor: part.factor * factor })),
})

const joined = (matrices: readonly (Matrix | undefined)[], along: number): Matrix | undefined => {
  const axis = axisOf(along, 2) === 0 ? 0 : 1
  const known = matrices.filter((matrix) => matrix !== undefined)
  const fits = known.every((matrix) => (matrix.parts.length === 1 || matrix.axis === axis) && !matrix.quantized)
  const [first] = known
  if (first === undefined || known.length < matrices.length || !fits) return undefined
  const length = known.reduce((sum, { dims }) => sum + dims[axis]!, 0)
  const dims = axis === 0 ? [length, first.dims[1]!] : [first.dims[0]!, length]
  return { dims, axis, parts: known.flatMap(({ parts }) => parts), quantized: false }
}
