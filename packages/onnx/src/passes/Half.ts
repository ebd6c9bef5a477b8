import { InvalidTensor, UnsupportedModel } from "../Errors.ts"
import { type Attribute, type Attributes, type Graph, int, intAttribute, type Node, type Value } from "../Graph.ts"
import { toFloat16 } from "../internal/half.ts"
import { freshNames } from "../internal/rewrite.ts"
import { typeCodes } from "../internal/types.ts"
import type { Tensor } from "../Tensor.ts"
import { deadCode } from "./DeadCode.ts"
import { ShapeWalk } from "./InferShapes.ts"

/** What `toHalf` can be told. */
export interface HalfOptions {
  /** Whether an input or output of that name becomes `float16` too; all stay `float32` where absent. */
  readonly ends?: (name: string) => boolean
}

/** Operators that compute in 16 bits; all others keep 32, with conversions around them. */
const halfOperators = new Set(
  `Add Sub Mul Div Neg Abs Min Max Clip Where Relu Tanh Sigmoid Gelu Erf Softmax Identity
  MatMul Gemm Conv Concat Split Slice Reshape Transpose Squeeze Unsqueeze Expand Flatten Tile Pad
  Gather GatherND GatherElements ScatterND ScatterElements LayerNormalization SimplifiedLayerNormalization
  SkipLayerNormalization SkipSimplifiedLayerNormalization RMSNormalization MultiHeadAttention GroupQueryAttention
  RotaryEmbedding BiasGelu FastGelu QuickGelu FusedMatMul MatMulNBits Shape Size`.split(/\s+/),
)

/** Operators of 16 bits that stay at 32 where all that they compute from is, because casts around them gain nothing. */
const cheapOperators = new Set(
  `Add Sub Mul Div Neg Abs Min Max Clip Where Identity Concat Split Slice Reshape Transpose Squeeze Unsqueeze Expand
  Flatten Tile`.split(/\s+/),
)

const float32Code = typeCodes.get("float32") ?? 1
const float16Code = typeCodes.get("float16") ?? 10

/** Constants that stand for "minus infinity" in masks become this; e to its power is 0 in 16 bits too. */
const largestMask = 1e4

/**
 * The graph with `float16` weights and activations, as `model_fp16.onnx` (`dtype: "fp16"`) holds it: half of the size.
 *
 * What 16 bits cannot carry stays in 32, with casts around it: positions and what is computed from them alone (rotary
 * angles), powers, roots, sums and means (the statistics of RMS normalization), and every operator that is not known to
 * have a 16-bit form. A single number beyond the range of the type, as masks hold it, becomes ±10 000; another weight beyond it
 * ends in `InvalidTensor`, a graph with subgraphs in `UnsupportedModel`. Inputs and outputs stay `float32` unless
 * `ends` says otherwise.
 *
 * @example
 * ```ts
 * import { float32, GraphBuilder, toHalf } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const w = g.initializer("w", float32([2, 2], [1, 2, 3, 4]))
 * const graph = toHalf(g.build({ y: g.matmul(g.input("x", "float32", ["rows", 2]), w) }))
 * console.log(graph.initializers.get("w")?.type, graph.outputs[0]?.type) // float16 float32
 * ```
 */
export const toHalf = (graph: Graph, options: HalfOptions = {}): Graph => new Halver(graph, options).convert()

type Width = "half" | "float"

class Halver {
  readonly #graph: Graph
  readonly #ends: (name: string) => boolean
  readonly #fresh: (stem: string) => string
  /** Types of all values of the original graph. */
  readonly #types = new Map<string, Value["type"]>()
  readonly #widths = new Map<Node, Width>()
  /** Values that nodes compute in 32 bits. */
  readonly #wide = new Set<string>()
  /** The value that holds a value of the original graph in that width, where one has been made. */
  readonly #made = { half: new Map<string, string>(), float: new Map<string, string>() }
  readonly #nodes: Node[] = []
  readonly #initializers = new Map<string, Tensor>()

  constructor(graph: Graph, { ends = () => false }: HalfOptions) {
    this.#graph = graph
    this.#ends = ends
    this.#fresh = freshNames(graph)
    const subgraph = graph.nodes.find((node) => Object.values(node.attributes).some(({ kind }) => kind === "graph"))
    if (subgraph !== undefined) {
      throw new UnsupportedModel({ message: `${subgraph.op} holds a subgraph`, node: subgraph.name })
    }
    const walk = new ShapeWalk(graph)
    for (const { name } of graph.inputs) this.#types.set(name, walk.value(name).type)
    for (const [name, { type }] of graph.initializers) this.#types.set(name, type)
    for (const node of graph.nodes) {
      const floats = node.inputs.some((name) => this.#types.get(name) === "float32")
      for (const value of walk.visit(node)) {
        this.#types.set(value.name, value.type ?? (floats ? "float32" : undefined))
      }
    }
  }

  convert(): Graph {
    const graph = this.#graph
    const outputs = new Set(graph.outputs.map(({ name }) => name))
    for (const node of graph.nodes) {
      const width = this.#widthOf(node)
      this.#widths.set(node, width)
      if (width === "float") for (const name of node.outputs) this.#wide.add(name)
    }
    for (const { name } of graph.inputs) {
      if (!this.#isFloat(name) || graph.initializers.has(name)) continue
      this.#made[this.#ends(name) ? "half" : "float"].set(name, name)
    }
    for (const node of graph.nodes) this.#emit(node, outputs)
    for (const { name } of graph.outputs) {
      if (!this.#isFloat(name)) continue
      const width = this.#ends(name) ? "half" : "float"
      const from = this.#made[width].get(name) ?? this.#read(name, width)
      if (from !== name) this.#nodes.push(plain("Identity", from, name))
    }
    const type = (value: Value): Value =>
      value.type === "float32" && this.#ends(value.name) ? { ...value, type: "float16" } : value
    for (const [name, value] of graph.initializers) {
      if (value.type !== "float32") this.#initializers.set(name, value)
    }
    return deadCode({
      ...graph,
      inputs: graph.inputs.map(type),
      outputs: graph.outputs.map(type),
      nodes: this.#nodes,
      initializers: this.#initializers,
      values: new Map(),
    })
  }

  #isFloat(name: string): boolean {
    return this.#types.get(name) === "float32"
  }

  /** Whether a node computes in 16 bits: those that do cheap things to 32-bit values alone do not. */
  #widthOf(node: Node): Width {
    if (![...node.inputs, ...node.outputs].some((name) => this.#isFloat(name))) return "float"
    const holdsTensor = node.attributes["value"]?.kind === "tensor"
    if (node.op === "Constant" || node.op === "ConstantOfShape") return holdsTensor ? "half" : "float"
    if (!halfOperators.has(node.op)) return "float"
    if (!cheapOperators.has(node.op)) return "half"
    const computed = node.inputs.filter((name) => this.#isFloat(name) && !this.#graph.initializers.has(name))
    if (computed.length === 0) return "half"
    return computed.every((name) => this.#wide.has(name)) ? "float" : "half"
  }

  #emit(node: Node, outputs: ReadonlySet<string>): void {
    const width = this.#widths.get(node) ?? "float"
    const floatOutputs = node.outputs.filter((name) => this.#isFloat(name))
    const inputs = node.inputs.map((name) => (this.#isFloat(name) ? this.#read(name, width) : name))
    // A value that leaves the graph in the other width gives its name to the cast
    const renamed = new Map(
      floatOutputs.map((name) => {
        const leaves = outputs.has(name) && (this.#ends(name) ? "half" : "float") !== width
        return [name, leaves ? this.#fresh(`${name}_${width}`) : name] as const
      }),
    )
    this.#nodes.push({
      ...node,
      inputs,
      outputs: node.outputs.map((name) => renamed.get(name) ?? name),
      attributes: width === "half" ? halfAttributes(node) : node.attributes,
    })
    for (const [name, actual] of renamed) {
      this.#made[width].set(name, actual)
      if (actual === name) continue
      const other = width === "half" ? "float" : "half"
      this.#nodes.push(cast(actual, name, other))
      this.#made[other].set(name, name)
    }
  }

  /** The name under which a value can be read in that width, converting it where it has none yet. */
  #read(name: string, width: Width): string {
    const known = this.#made[width].get(name)
    if (known !== undefined) return known
    const tensor = this.#graph.initializers.get(name)
    if (tensor !== undefined) {
      const taken = this.#initializers.has(name)
      const own = taken ? this.#fresh(`${name}_${width}`) : name
      this.#initializers.set(own, width === "half" ? halfTensor(name, tensor) : bounded(tensor))
      this.#made[width].set(name, own)
      return own
    }
    const own = this.#fresh(`${name}_${width}`)
    this.#nodes.push(cast(this.#made[width === "half" ? "float" : "half"].get(name) ?? name, own, width))
    this.#made[width].set(name, own)
    return own
  }
}

const plain = (op: string, from: string, to: string, attributes: Attributes = {}): Node => ({
  op,
  domain: "",
  name: to,
  inputs: [from],
  outputs: [to],
  attributes,
})

const cast = (from: string, to: string, width: Width): Node =>
  plain("Cast", from, to, { to: int(width === "half" ? float16Code : float32Code) })

/** The attributes of a node that makes 16-bit floats: tensors in them, and what it casts to. */
const halfAttributes = (node: Node): Attributes =>
  Object.fromEntries(
    Object.entries(node.attributes).map(([name, attribute]): [string, Attribute] => {
      if (attribute.kind === "tensor" && attribute.value.type === "float32") {
        return [name, { kind: "tensor", value: halfTensor(node.name, attribute.value) }]
      }
      if (node.op === "Cast" && name === "to" && intAttribute(node, "to", 0) === float32Code) {
        return [name, int(float16Code)]
      }
      return [name, attribute]
    }),
  )

const isMask = ({ data }: Tensor): boolean => data.length === 1 && Math.abs(Number(data[0])) > 65504

/** A single number beyond the range of 16 bits, brought into it, because what is computed from it may be cast. */
const bounded = (tensor: Tensor): Tensor =>
  isMask(tensor) ? { ...tensor, data: Float32Array.of(Math.sign(Number(tensor.data[0])) * largestMask) } : tensor

const halfTensor = (name: string, tensor: Tensor): Tensor => {
  const { dims, data } = bounded(tensor)
  const halves = new Uint16Array(data.length)
  for (let index = 0; index < halves.length; index++) {
    const value = Number(data[index])
    halves[index] = toFloat16(value)
    if ((halves[index]! & 0x7fff) === 0x7c00 && Number.isFinite(value)) {
      throw new InvalidTensor({
        message: `element ${index} of tensor ${name} is too large for float16`,
        tensor: name,
        expected: "at most 65504",
        found: `${value}`,
      })
    }
  }
  return { type: "float16", dims, data: halves }
}
