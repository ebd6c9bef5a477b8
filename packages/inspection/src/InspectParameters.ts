import {
  holdsNaN,
  isSetting,
  isWeight,
  storedSettings,
  storedTensors,
  usesOf,
} from "@tandem/models/exported/TrainableParameters"
import { consumers, type Graph, intAttribute, type Node, type Tensor } from "@tandem/onnx"

/** One weight tensor of a model. */
export interface InspectedParameter {
  readonly name: string
  readonly type: Tensor["type"]
  readonly shape: readonly number[]
  /** Number of weights; of packed ones how many they stand for. */
  readonly elements: number
  readonly trains: boolean
  /** Why it does not train. */
  readonly reason?: string
}

/** A stored tensor that says how positions or masks are to be read. */
export interface InspectedSetting {
  readonly name: string
  readonly shape: readonly number[]
  /** What shows that it is no weight. */
  readonly reason: string
}

/** The settings of a model as it was read. */
export const inspectSettings = (graph: Graph): readonly InspectedSetting[] => {
  const stored = storedTensors(graph)
  return [...storedSettings(graph)].map(([name, reason]) => ({ name, shape: stored.get(name)?.dims ?? [], reason }))
}

/** What tells whether a weight can train: the names that the outputs depend on, and those in front of a gap. */
export interface Reach {
  readonly connected: ReadonlySet<string>
  readonly blocked: ReadonlyMap<string, string>
}

const quantizedReaders: Readonly<Record<string, readonly number[]>> = {
  DequantizeLinear: [0],
  MatMulInteger: [1],
  DynamicQuantizeMatMul: [1],
  MatMulNBits: [1],
  GatherBlockQuantized: [0],
  QLinearMatMul: [3],
  QLinearConv: [3],
  ConvInteger: [1],
  QAttention: [1],
  QEmbedLayerNormalization: [2, 3, 4, 5, 6, 7],
}

const floats: ReadonlySet<string> = new Set(["float16", "bfloat16", "float64"])

/** The weights of a model as it was read, which of them can train and why the others cannot. */
export const inspectParameters = (graph: Graph, reach: Reach): readonly InspectedParameter[] => {
  const readers = consumers(graph)
  const settings = storedSettings(graph)
  return [...storedTensors(graph)].flatMap(([name, value]): InspectedParameter[] => {
    const uses = usesOf(readers, name)
    const described = { name, type: value.type, shape: value.dims, elements: value.data.length }
    const quantized = uses.find(({ node, input }) => quantizedReaders[node.op]?.includes(input))
    if (quantized !== undefined) {
      const elements = value.data.length * packing(quantized.node)
      const reason = `quantised: ${quantized.node.op} reads it, so it stays as it is`
      return [{ ...described, elements, trains: false, reason }]
    }
    if (settings.has(name) || isSetting(uses)) return []
    if (floats.has(value.type) && value.data.length > 1) {
      const hint = value.type === "float64" ? "" : "; train the float32 export"
      return [{ ...described, trains: false, reason: `stored as ${value.type}${hint}` }]
    }
    if (holdsNaN(value)) return [{ ...described, trains: false, reason: "it holds NaN" }]
    if (!isWeight(value)) return []
    const blocked = reach.blocked.get(name)
    if (blocked !== undefined) return [{ ...described, trains: false, reason: blocked }]
    if (!reach.connected.has(name)) {
      return [{ ...described, trains: false, reason: "no output depends on it in a way that has a gradient" }]
    }
    return [{ ...described, trains: true }]
  })
}

/** How many weights one element of a packed tensor holds. */
const packing = (node: Node): number => {
  if (node.op === "MatMulNBits") return 8 / intAttribute(node, "bits", 4)
  return node.op === "GatherBlockQuantized" ? 8 / intAttribute(node, "bits", 4) : 1
}
