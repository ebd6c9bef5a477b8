import { type BlockOptions, type BlockWeight, requireBlockSize, toBlocks } from "../BlockWeight.ts"
import { describeValue, floatAttribute, type Graph, int, intAttribute, type Node, producers, reads } from "../Graph.ts"
import { freshNames } from "../internal/rewrite.ts"
import { elementCount, float32, type Tensor } from "../Tensor.ts"
import { deadCode } from "./DeadCode.ts"

/** What `quantizeBlocks` can be told. */
export interface QuantizeBlocksOptions extends BlockOptions {
  /** Weights of fewer elements stay as they are; 1024 by default. */
  readonly minimumElements?: number
}

/**
 * The graph with weights of 4 or 8 bits in blocks, as `model_q4.onnx` (`dtype: "q4"`) holds it: `MatMul` and `Gemm` whose
 * right operand is a constant `float32` matrix become ONNX Runtime's `MatMulNBits`, with `Mul` and `Add` for what a `Gemm`
 * does besides. At 4 bits and blocks of 32 a weight takes 5 bits in place of 32.
 *
 * Everything else stays as it is, tables that are looked up, too: where the output layer is the embeddings, those stay
 * `float32` and the product has a quantized copy. Subgraphs are left alone. How far weights move: `toBlocks`.
 *
 * @throws InvalidTensor where a weight is not finite or the block size is none that there is
 *
 * @example
 * ```ts
 * import { float32, GraphBuilder, quantizeBlocks } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const w = g.initializer("w", float32([64, 64], new Float32Array(64 * 64).fill(0.5)))
 * const graph = quantizeBlocks(g.build({ y: g.matmul(g.input("x", "float32", ["rows", 64]), w) }))
 * console.log(graph.nodes[0]?.op, graph.initializers.get("w_Q4")?.dims) // MatMulNBits [ 64, 2, 16 ]
 * ```
 */
export const quantizeBlocks = (graph: Graph, options: QuantizeBlocksOptions = {}): Graph => {
  const { minimumElements = 1024, ...settings } = options
  requireBlockSize(settings.blockSize ?? 32)
  const weights = new Map<string, BlockWeight>()
  for (const [name, outputFirst] of productWeights(graph)) {
    const value = graph.initializers.get(name)
    if (value?.type !== "float32" || elementCount(value.dims) < minimumElements) continue
    weights.set(name, toBlocks(value, { ...settings, outputFirst, name }))
  }
  return withBlocks(graph, weights)
}

/** The names under which a graph holds a matrix in blocks. */
export const blockTensors = (name: string, { bits, codes, scales, zeroPoints }: BlockWeight): Map<string, Tensor> =>
  new Map([
    [`${name}_Q${bits}`, codes],
    [`${name}_scales`, scales],
    ...(zeroPoints === undefined ? [] : [[`${name}_zero_points`, zeroPoints] as const]),
  ])

/**
 * The matrices, inputs or initializers, that products read as their right operand, and whether they are stored as
 * `[outputs, inputs]` (else `[inputs, outputs]`), as the first product of each reads it.
 */
export const productWeights = (graph: Graph): ReadonlyMap<string, boolean> => {
  const productOf = productReader(graph)
  const weights = new Map<string, boolean>()
  for (const node of graph.nodes) {
    const product = productOf(node)
    if (product !== undefined && !weights.has(product.weight)) weights.set(product.weight, product.outputFirst)
  }
  return weights
}

/**
 * The graph with `MatMulNBits` in place of the products that read one of the matrices. The blocks are `constants`, or
 * inputs in the matrix' place, as it was one itself where nothing is said; they are named as `blockTensors` says. A matrix
 * that something else reads, as look-ups do, stays beside its blocks.
 */
export const withBlocks = (
  graph: Graph,
  weights: ReadonlyMap<string, BlockWeight>,
  kind?: "constants" | "inputs",
): Graph => {
  const isConstant = (name: string): boolean =>
    kind === undefined ? graph.initializers.has(name) : kind === "constants"
  const productOf = productReader(graph)
  const fresh = freshNames({ ...graph, inputs: graph.inputs.filter(({ name }) => !weights.has(name)) })
  const initializers = new Map(graph.initializers)
  const names = new Map<string, readonly string[]>()
  for (const [name, weight] of weights) {
    const tensors = [...blockTensors(name, weight)]
    const own = tensors.map(([each]) => (isConstant(name) ? fresh(each) : each))
    names.set(name, own)
    if (isConstant(name)) for (const [at, [, tensor]] of tensors.entries()) initializers.set(own[at]!, tensor)
  }
  const nodes = graph.nodes.flatMap((node): readonly Node[] => {
    const product = productOf(node)
    const weight = product === undefined ? undefined : weights.get(product.weight)
    if (product === undefined || weight === undefined || weight.outputFirst !== product.outputFirst) return [node]
    return inBlocks(node, product, weight, { blocks: names.get(product.weight)!, fresh, initializers })
  })
  const changed = deadCode({ ...graph, nodes, initializers, opsets: new Map(graph.opsets).set("com.microsoft", 1) })
  const read = new Set([...changed.nodes.flatMap(reads), ...changed.outputs.map(({ name }) => name)])
  const inputs = [...weights].flatMap(([name, weight]) =>
    isConstant(name)
      ? []
      : [...blockTensors(name, weight)].map(([each, { type, dims }]) => ({ name: each, type, dims })),
  )
  const kept = graph.inputs.filter(({ name }) => !weights.has(name) || graph.initializers.has(name) || read.has(name))
  return { ...changed, inputs: [...kept, ...inputs] }
}

/** A product of some values by a matrix of weights. */
interface Product {
  readonly x: string
  readonly weight: string
  readonly outputFirst: boolean
  readonly alpha: number
  readonly c: string | undefined
  readonly beta: number
}

/** Reads a node as a product by a stored matrix, whether as it is or transposed on its way. */
const productReader = (graph: Graph): ((node: Node) => Product | undefined) => {
  const makers = producers(graph)
  const stored = new Set([...graph.initializers.keys(), ...graph.inputs.map(({ name }) => name)])
  return (node) => {
    if (node.domain !== "") return undefined
    const isGemm = node.op === "Gemm" && intAttribute(node, "transA", 0) === 0
    if (node.op !== "MatMul" && !isGemm) return undefined
    const [x = "", operand = "", c = ""] = node.inputs
    const maker = makers.get(operand)
    const turned = maker?.op === "Transpose" && maker.domain === ""
    const weight = turned ? (maker.inputs[0] ?? "") : operand
    if (!stored.has(weight) || graph.initializers.has(x)) return undefined
    const { type, dims } = describeValue(graph, weight)
    if (type !== "float32" || dims?.length !== 2) return undefined
    return {
      ...{ x, weight, c: isGemm && c !== "" ? c : undefined },
      outputFirst: (isGemm && intAttribute(node, "transB", 0) === 1) !== turned,
      alpha: isGemm ? floatAttribute(node, "alpha", 1) : 1,
      beta: isGemm ? floatAttribute(node, "beta", 1) : 1,
    }
  }
}

interface Surroundings {
  readonly blocks: readonly string[]
  readonly fresh: (stem: string) => string
  readonly initializers: Map<string, Tensor>
}

const inBlocks = (node: Node, product: Product, weight: BlockWeight, around: Surroundings): readonly Node[] => {
  const { x, alpha, c, beta } = product
  const { bits, blockSize, inputs, outputs } = weight
  const { blocks, fresh, initializers } = around
  const y = node.outputs[0] ?? ""
  const nodes: Node[] = []
  /** Appends a node that makes a value of its own; the last one is renamed to the product's. */
  const add = (op: string, operands: readonly string[], more: Partial<Node> = {}): string => {
    const name = fresh(`${y}_${op}`)
    nodes.push({ op, domain: "", name, inputs: operands, outputs: [name], attributes: {}, ...more })
    return name
  }
  const times = (value: string, factor: number, what: string): string => {
    if (factor === 1) return value
    const name = fresh(`${y}_${what}`)
    initializers.set(name, float32([], [factor]))
    return add("Mul", [value, name])
  }
  const attributes = { K: int(inputs), N: int(outputs), bits: int(bits), block_size: int(blockSize) }
  const codes = add("MatMulNBits", [x, ...blocks], { domain: "com.microsoft", name: node.name, attributes })
  const scaled = times(codes, alpha, "alpha")
  if (c !== undefined) add("Add", [scaled, times(c, beta, "beta")])
  return nodes.map((each, index) => (index === nodes.length - 1 ? { ...each, outputs: [y] } : each))
}
