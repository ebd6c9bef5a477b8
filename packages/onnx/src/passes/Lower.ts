import { type Attributes, describeValue, type Graph, type Node, operatorName, type Value } from "../Graph.ts"
import { builderOpset, GraphBuilder } from "../GraphBuilder.ts"
import { lowerings } from "../internal/lowerings.ts"
import { toInt32 } from "../Tensor.ts"

/**
 * The graph in operators and element types that WebGPU has in ONNX Runtime: what its provider lacks is put in terms of
 * what it has, so that no node falls back to the CPU with a copy each way.
 *
 * 64-bit integers become 32-bit ones, inputs included: token ids, positions and labels fit. Shapes, axes, the indices of
 * GatherND and ScatterND and the graph's outputs stay `int64`. `LogSoftmax`, `ReduceLogSumExp` (the provider's
 * own overflows), class losses, `OneHot`, `ConstantOfShape`, `FusedMatMul`, `IsNaN`, `Sign`, `Mod`, `Sum`, inference's
 * `Dropout`, operators on truth values and RMS norms whose deviations are read (the
 * provider leaves those unwritten) are rewritten. What has no such form (random numbers, `NonZero`) stays.
 *
 * Names of inputs, outputs and weights are kept. A graph of another operator set than the builder's, or with
 * subgraphs, is given back as it is: `upgrade` it first.
 *
 * @example
 * ```ts
 * import { GraphBuilder, lower } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const ids = g.input("ids", "int64", [3])
 * const row = g.input("row", "float32", [5])
 * const lowered = lower(g.build({ y: g.op("LogSoftmax", [g.gather(row, ids)])[0]! }))
 * console.log(lowered.inputs[0]?.type) // int32
 * console.log(lowered.nodes.map((node) => node.op).join(" ")) // Gather ReduceMax Sub Exp ReduceSum Log Sub
 * ```
 */
export const lower = (graph: Graph): Graph => {
  const hasSubgraph = graph.nodes.some(({ attributes }) =>
    Object.values(attributes).some(({ kind }) => kind === "graph"),
  )
  return graph.opsets.get("") !== builderOpset || hasSubgraph ? graph : new Lowering(graph).run()
}

class Lowering {
  readonly #graph: Graph
  readonly #g = new GraphBuilder()
  readonly #values = new Map<string, Value>()

  constructor(graph: Graph) {
    this.#graph = graph
  }

  run(): Graph {
    const graph = this.#graph
    for (const { name, type = "float32", dims = [] } of graph.inputs)
      this.#values.set(name, this.#g.input(name, type === "int64" ? "int32" : type, dims))
    for (const [name, tensor] of graph.initializers)
      if (tensor.type !== "int64") this.#values.set(name, this.#g.initializer(name, tensor))
    for (const node of graph.nodes) {
      const results = this.#apply(node)
      for (const [index, name] of node.outputs.entries()) {
        const result = results[index]
        if (name !== "" && result !== undefined) this.#values.set(name, this.#narrow(result, node.name))
      }
    }
    const outputs = graph.outputs.map(({ name, type }) => {
      const value = this.#data(name)!
      return [name, type === "int64" ? this.#g.cast(value, type) : value] as const
    })
    return this.#g.build(Object.fromEntries(outputs), graph.name)
  }

  #apply(node: Node): readonly (Value | undefined)[] {
    const g = this.#g
    const key = operatorName(node)
    const wide = wideOperands[key] ?? []
    const operands = node.inputs.map((name, index) => (wide.includes(index) ? this.#wide(name) : this.#data(name)))
    const lowered = g.scope(node.name, () => lowerings[key]?.({ g, node, operands }))
    if (lowered !== undefined) return lowered
    return g.op(node.op, operands, {
      domain: node.domain,
      attributes: narrowed(node.attributes),
      outputs: node.outputs.map((name) => {
        const { type, dims } = describeValue(this.#graph, name)
        return { type: type === "int64" && !makesWide.has(node.op) ? "int32" : type, dims }
      }),
      name: node.name,
    })
  }

  #narrow(value: Value, node: string): Value {
    return value.type === "int64" ? this.#g.scope(node, () => this.#g.cast(value, "int32")) : value
  }

  /** A value as data; 64-bit constants are cut down. */
  #data(name: string): Value | undefined {
    if (name === "") return undefined
    const known = this.#values.get(name)
    if (known !== undefined) return known
    const tensor = this.#graph.initializers.get(name)
    if (tensor === undefined) return undefined
    const value = this.#g.constant(toInt32(tensor))
    this.#values.set(name, value)
    return value
  }

  /** A value where ONNX takes 64-bit integers alone. */
  #wide(name: string): Value | undefined {
    const tensor = this.#graph.initializers.get(name)
    if (tensor !== undefined && !this.#values.has(`wide ${name}`))
      this.#values.set(`wide ${name}`, this.#g.constant(tensor))
    const value = this.#values.get(`wide ${name}`) ?? this.#data(name)
    return value?.type === "int32" ? this.#g.cast(value, "int64") : value
  }
}

/** Inputs that are 64-bit integers by definition: shapes, axes, places. */
const wideOperands: Readonly<Record<string, readonly number[]>> = {
  Reshape: [1],
  Expand: [1],
  Resize: [3],
  Slice: [1, 2, 3, 4],
  Split: [1],
  Squeeze: [1],
  Unsqueeze: [1],
  Tile: [1],
  Pad: [1, 3],
  ConstantOfShape: [0],
  TopK: [1],
  Trilu: [1],
  GatherND: [1],
  ScatterND: [1],
  OneHot: [1],
  ReverseSequence: [1],
  ReduceSum: [1],
  ReduceMean: [1],
  ReduceMax: [1],
  ReduceMin: [1],
  ReduceProd: [1],
  ReduceL1: [1],
  ReduceL2: [1],
  ReduceLogSum: [1],
  ReduceLogSumExp: [1],
  ReduceSumSquare: [1],
  "com.microsoft.RotaryEmbedding": [1],
}

/** Operators that make 64-bit integers whatever they read. */
const makesWide = new Set(["Shape", "Size", "ArgMax", "ArgMin", "NonZero", "TopK", "Unique"])

const int64Code = 7
const int32Code = 6

/** A cast to 64-bit integers as one to 32-bit ones. */
const narrowed = (attributes: Attributes): Attributes => {
  const { to } = attributes
  return to?.kind === "int" && to.value === int64Code
    ? { ...attributes, to: { kind: "int", value: int32Code } }
    : attributes
}
