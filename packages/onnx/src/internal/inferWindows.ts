import { type Dims, intAttribute, intsAttribute, staticDims, stringAttribute } from "../Graph.ts"
import { windowSpan, windowsOf } from "../Windows.ts"
import { type Inference, typeAt } from "./application.ts"

const conv: Inference = (node) => {
  const { type, dims } = typeAt(node, 0)
  const sizes = staticDims(dims?.slice(2))
  const weight = staticDims(typeAt(node, 1).dims)
  if (dims === undefined || sizes === undefined || weight === undefined) return [{ type, dims: undefined }]
  return [{ type, dims: [...dims.slice(0, 1), weight[0]!, ...windowsOf(node, sizes, weight.slice(2)).output] }]
}

/** Where neither the output's shape is asked for nor the padding left to the operator. */
const convTranspose: Inference = (node) => {
  const { type, dims } = typeAt(node, 0)
  const sizes = staticDims(dims?.slice(2))
  const weight = staticDims(typeAt(node, 1).dims)
  const mode = stringAttribute(node, "auto_pad", "NOTSET")
  const asked = node.attributes["output_shape"] !== undefined || (mode !== "NOTSET" && mode !== "VALID")
  if (dims === undefined || sizes === undefined || weight === undefined || asked) return [{ type, dims: undefined }]
  const list = (name: string, fallback: number) => intsAttribute(node, name) ?? sizes.map(() => fallback)
  const pads = mode === "VALID" ? undefined : intsAttribute(node, "pads")
  const strides = list("strides", 1)
  const dilations = list("dilations", 1)
  const extra = list("output_padding", 0)
  const spatial = sizes.map((size, axis) => {
    const padding = (pads?.[axis] ?? 0) + (pads?.[axis + sizes.length] ?? 0)
    return (size - 1) * strides[axis]! + windowSpan(weight[axis + 2]!, dilations[axis]!) + extra[axis]! - padding
  })
  return [{ type, dims: [...dims.slice(0, 1), weight[1]! * intAttribute(node, "group", 1), ...spatial] }]
}

const pooled = (node: Parameters<Inference>[0]): Dims | undefined => {
  const { dims } = typeAt(node, 0)
  const sizes = staticDims(dims?.slice(2))
  const kernel = intsAttribute(node, "kernel_shape")
  if (dims === undefined || sizes === undefined || kernel === undefined) return undefined
  return [...dims.slice(0, 2), ...windowsOf(node, sizes, kernel).output]
}

const pool: Inference = (node) => [{ type: typeAt(node, 0).type, dims: pooled(node) }]
const globalPool: Inference = (node) => {
  const { type, dims } = typeAt(node, 0)
  return [{ type, dims: dims?.map((dim, axis) => (axis < 2 ? dim : 1)) }]
}

/** Operators whose windows move over spatial axes. */
export const windowInference: Readonly<Record<string, Inference>> = {
  Conv: conv,
  ConvTranspose: convTranspose,
  AveragePool: pool,
  MaxPool: (node) => [...pool(node), { type: "int64" as const, dims: pooled(node) }].slice(0, node.outputs),
  GlobalAveragePool: globalPool,
  GlobalMaxPool: globalPool,
}
