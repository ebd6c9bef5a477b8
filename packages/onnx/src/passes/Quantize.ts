import { floatAttribute, type Graph, int, intAttribute, type Node } from "../Graph.ts"
import { type QuantizedWeight, quantizeRows, quantizeWeight, type WeightType } from "../internal/quantizeWeight.ts"
import { freshNames } from "../internal/rewrite.ts"
import { typeCodes } from "../internal/types.ts"
import { elementCount, float32, type Tensor } from "../Tensor.ts"
import { deadCode } from "./DeadCode.ts"

/** What `quantizeDynamic` can be told. */
export interface QuantizeOptions {
  /**
   * Element type of the weights of products: `int8` (the default), fastest on processors with 8-bit dot products, or
   * `uint8`, slower there, but never saturating on those without (x86 before VNNI), where sums of extreme products can.
   */
  readonly weights?: WeightType
  /** A scale for each output channel and each row of a table (the default), or one for a whole tensor. */
  readonly perChannel?: boolean
  /** Weights of fewer elements stay as they are; 1024 by default. */
  readonly minimumElements?: number
}

/**
 * The graph with 8-bit weights, as `model_quantized.onnx` (`dtype: "q8"`) holds it: about a quarter of the size, for
 * inference alone. Activations are quantized as they come.
 *
 * - `MatMul` and `Gemm` whose right operand is a constant `float32` matrix become `DynamicQuantizeLinear`,
 *   `MatMulInteger`, `Cast`, `Mul` (and `Add`); nodes that read the same activation share its quantization.
 * - `Gather` of rows of a constant table reads an `int8` table and scales what it read.
 *
 * Everything else stays in `float32`; subgraphs are left alone. A weight that is not finite ends in `InvalidTensor`.
 *
 * @example
 * ```ts
 * import { float32, GraphBuilder, quantizeDynamic } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const w = g.initializer("w", float32([64, 64], new Float32Array(64 * 64).fill(0.5)))
 * const graph = quantizeDynamic(g.build({ y: g.matmul(g.input("x", "float32", ["rows", 64]), w) }))
 * console.log(graph.initializers.get("w_quantized")?.type) // int8
 * ```
 */
export const quantizeDynamic = (graph: Graph, options: QuantizeOptions = {}): Graph => {
  const quantizer = new Quantizer(graph, options)
  const nodes = graph.nodes.flatMap((node) => quantizer.convert(node))
  return deadCode({ ...graph, nodes, initializers: quantizer.initializers })
}

interface Activation {
  readonly values: string
  readonly scale: string
  readonly zero: string
}

interface Stored {
  readonly values: string
  readonly scale: string
  readonly zero: string
}

class Quantizer {
  readonly initializers: Map<string, Tensor>
  readonly #fresh: (stem: string) => string
  readonly #options: Required<QuantizeOptions>
  readonly #activations = new Map<string, Activation>()
  readonly #weights = new Map<string, Stored>()

  constructor(graph: Graph, { weights = "int8", perChannel = true, minimumElements = 1024 }: QuantizeOptions) {
    this.initializers = new Map(graph.initializers)
    this.#fresh = freshNames(graph)
    this.#options = { weights, perChannel, minimumElements }
  }

  convert(node: Node): readonly Node[] {
    if (node.domain !== "") return [node]
    if (node.op === "MatMul") return this.#product(node, false, 1) ?? [node]
    if (node.op === "Gemm" && intAttribute(node, "transA", 0) === 0) return this.#gemm(node) ?? [node]
    if (node.op === "Gather" && intAttribute(node, "axis", 0) === 0) return this.#gather(node) ?? [node]
    return [node]
  }

  /** The constant matrix of that name, if it is one to quantize. */
  #matrix(name: string | undefined): Tensor | undefined {
    const value = this.initializers.get(name ?? "")
    if (value === undefined || value.type !== "float32" || value.dims.length !== 2) return undefined
    return elementCount(value.dims) >= this.#options.minimumElements ? value : undefined
  }

  #add(stem: string, value: Tensor): string {
    const name = this.#fresh(stem)
    this.initializers.set(name, value)
    return name
  }

  #store(key: string, name: string, quantize: () => QuantizedWeight): Stored {
    const known = this.#weights.get(key)
    if (known !== undefined) return known
    const { values, scale, zero } = quantize()
    const stored = {
      values: this.#add(`${name}_quantized`, values),
      scale: this.#add(`${name}_scale`, scale),
      zero: this.#add(`${name}_zero_point`, zero),
    }
    this.#weights.set(key, stored)
    return stored
  }

  /** The 8-bit form of an activation; the node that makes it is new for the first reader alone. */
  #activation(name: string): readonly [Activation, readonly Node[]] {
    const known = this.#activations.get(name)
    if (known !== undefined) return [known, []]
    const activation = {
      values: this.#fresh(`${name}_quantized`),
      scale: this.#fresh(`${name}_scale`),
      zero: this.#fresh(`${name}_zero_point`),
    }
    this.#activations.set(name, activation)
    const { values, scale, zero } = activation
    return [activation, [{ ...plain("DynamicQuantizeLinear", [name], values), outputs: [values, scale, zero] }]]
  }

  #product(node: Node, transposed: boolean, alpha: number): readonly Node[] | undefined {
    const [x = "", w = ""] = node.inputs
    const matrix = this.#matrix(w)
    if (matrix === undefined || this.initializers.has(x)) return undefined
    const { weights, perChannel } = this.#options
    const weight = this.#store(`${w} ${transposed} ${alpha}`, w, () =>
      quantizeWeight(w, matrix, { type: weights, perChannel, transposed, alpha }),
    )
    const [activation, made] = this.#activation(x)
    const y = node.outputs[0] ?? ""
    const [sum, real, scale] = [this.#fresh(`${y}_int32`), this.#fresh(`${y}_float`), this.#fresh(`${y}_scale`)]
    return [
      ...made,
      plain("MatMulInteger", [activation.values, weight.values, activation.zero, weight.zero], sum),
      { ...plain("Cast", [sum], real), attributes: toFloat },
      plain("Mul", [activation.scale, weight.scale], scale),
      { ...plain("Mul", [real, scale], y), name: node.name },
    ]
  }

  #gemm(node: Node): readonly Node[] | undefined {
    const [x = "", w = "", c = ""] = node.inputs
    const y = node.outputs[0] ?? ""
    const beta = floatAttribute(node, "beta", 1)
    const bias = c === "" ? undefined : c
    const inner = bias === undefined ? y : this.#fresh(`${y}_product`)
    const transposed = intAttribute(node, "transB", 0) === 1
    const product = { ...node, name: bias === undefined ? node.name : inner, inputs: [x, w], outputs: [inner] }
    const nodes = this.#product(product, transposed, floatAttribute(node, "alpha", 1))
    if (nodes === undefined || bias === undefined) return nodes
    const sum = (term: string): Node => ({ ...plain("Add", [inner, term], y), name: node.name })
    if (beta === 1) return [...nodes, sum(bias)]
    const scaled = this.#fresh(`${y}_bias`)
    const factor = this.#add(`${y}_beta`, float32([], [beta]))
    return [...nodes, plain("Mul", [bias, factor], scaled), sum(scaled)]
  }

  #gather(node: Node): readonly Node[] | undefined {
    const [table = "", indices = ""] = node.inputs
    const matrix = this.#matrix(table)
    if (matrix === undefined) return undefined
    const { perChannel } = this.#options
    const stored = this.#store(`${table} rows`, table, () => quantizeRows(table, matrix, perChannel))
    const y = node.outputs[0] ?? ""
    const rows = this.#fresh(`${y}_int8`)
    const read = { ...node, name: rows, inputs: [stored.values, indices], outputs: [rows] }
    if (!perChannel) {
      return [read, { ...plain("DequantizeLinear", [rows, stored.scale, stored.zero], y), name: node.name }]
    }
    const [real, scale] = [this.#fresh(`${y}_float`), this.#fresh(`${y}_scale`)]
    return [
      read,
      { ...plain("Cast", [rows], real), attributes: toFloat },
      { ...node, name: scale, inputs: [stored.scale, indices], outputs: [scale] },
      { ...plain("Mul", [real, scale], y), name: node.name },
    ]
  }
}

const toFloat = { to: int(typeCodes.get("float32") ?? 1) }

const plain = (op: string, inputs: readonly string[], output: string): Node => ({
  op,
  domain: "",
  name: output,
  inputs,
  outputs: [output],
  attributes: {},
})
