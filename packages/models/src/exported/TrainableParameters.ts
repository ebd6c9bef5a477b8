import { consumers, type Graph, InvalidModel, type Node, type Tensor } from "@tandem/onnx"
import { settingsOf } from "./Settings.ts"

/** A float tensor of the model that is large enough, and finite, to be a weight. */
export const isWeight = (value: Tensor): boolean => {
  const { type, data } = value
  if (type !== "float32" || data.length < 2) return false
  // Masks hold −∞ or the type's lowest number.
  for (let i = 0; i < data.length; i++) if (!(Math.abs(Number(data[i])) < 1e30)) return false
  return true
}

/**
 * Whether a tensor holds NaN, as weights do whose training diverged or whose file was damaged: everything that depends on
 * them is NaN, too.
 */
export const holdsNaN = ({ type, data }: Tensor): boolean => {
  if (type !== "float32" && type !== "float64") return false
  for (let i = 0; i < data.length; i++) if (Number.isNaN(data[i])) return true
  return false
}

/** Refuses weights that are no numbers. */
export const requireNumbers = (weights: ReadonlyMap<string, Tensor>): void => {
  for (const [name, value] of weights) {
    if (!holdsNaN(value)) continue
    throw new InvalidModel({
      message: `the weight ${name} holds NaN`,
      tensor: name,
      expected: "numbers",
      found: "NaN",
      hint: "use a file whose training did not diverge",
    })
  }
}

/** The tensors that a model's file holds by name: initializers, and what `Constant` nodes make. */
export const storedTensors = (model: Graph): ReadonlyMap<string, Tensor> => {
  const constants = model.nodes.flatMap((node): (readonly [string, Tensor])[] => {
    const value = node.op === "Constant" && node.domain === "" ? node.attributes["value"] : undefined
    return value?.kind === "tensor" ? [[node.outputs[0] ?? "", value.value]] : []
  })
  return new Map([...model.initializers, ...constants])
}

/** What is no weight of its own: scales and zero points of quantised weights, tables of rotary angles. */
const operandsOfSettings: Readonly<Record<string, readonly number[]>> = {
  DequantizeLinear: [1, 2],
  DynamicQuantizeMatMul: [2, 3],
  MatMulInteger: [2, 3],
  MatMulNBits: [2, 3, 4],
  GatherBlockQuantized: [2, 3],
  GroupQueryAttention: [7, 8],
  QuantizeLinear: [1, 2],
  RotaryEmbedding: [1, 2, 3],
}

/** Where a value is read: by which nodes, as which operand. */
export const usesOf = (readers: ReadonlyMap<string, readonly Node[]>, name: string): readonly Use[] =>
  (readers.get(name) ?? []).map((node) => ({ node, input: node.inputs.indexOf(name) }))

interface Use {
  readonly node: Node
  readonly input: number
}

/** Whether a tensor only says how quantised weights are to be read, or how far positions turn. */
export const isSetting = (uses: readonly Use[]): boolean =>
  uses.length > 0 && uses.every(({ node, input }) => operandsOfSettings[node.op]?.includes(input))

/** What was found of a graph, which is asked for several times while a model is loaded or inspected. */
const found = new WeakMap<Graph, ReadonlyMap<string, string>>()

/** The model's float tensors of which arithmetic with positions and masks makes settings, with the reason. */
export const storedSettings = (model: Graph): ReadonlyMap<string, string> => {
  const known = found.get(model)
  if (known !== undefined) return known
  const settings = settingsOf({ ...model, initializers: storedTensors(model) })
  found.set(model, settings)
  return settings
}

/**
 * The weights of a model by name: stored tensors that `isWeight` and that stand in the prepared graph, too, settings left
 * out. What preparing adds, such as masks and dequantised weights, is none.
 */
export const weightsOf = (model: Graph, prepared: Graph): ReadonlyMap<string, Tensor> => {
  const readers = consumers(model)
  const settings = storedSettings(model)
  return new Map(
    [...storedTensors(model)].filter(
      ([name, value]) =>
        prepared.initializers.has(name) && isWeight(value) && !settings.has(name) && !isSetting(usesOf(readers, name)),
    ),
  )
}
