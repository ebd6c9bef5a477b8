import { dequantized, unpackBits } from "../internal/blocks.ts"
import { fromFloat16 } from "../internal/half.ts"
import { float32, type Tensor, toNumbers } from "../Tensor.ts"
import type { Composite, Decomposition } from "./Composite.ts"

/** The constant behind an operand; a quantized weight that is computed cannot be turned into floats beforehand. */
const constant = (call: Composite, index: number, name: string): Tensor =>
  call.constant(index) ??
  call.refuse(name, "a constant of the graph", `${call.node.inputs[index] ?? "absent"}, which is computed`)

const bytesAt = (call: Composite, index: number, name: string): Uint8Array => {
  const { data, type } = constant(call, index, name)
  return data instanceof Uint8Array ? data : call.refuse(name, "uint8", type)
}

const floats = (call: Composite, index: number, name: string): readonly number[] => {
  const tensor = constant(call, index, name)
  if (tensor.type === "float32") return toNumbers(tensor)
  return tensor.type === "float16"
    ? toNumbers(tensor).map(fromFloat16)
    : call.refuse(name, "float32 or float16", tensor.type)
}

const bitWidth = (call: Composite): number => {
  const bits = call.int("bits", 4)
  return bits === 2 || bits === 4 || bits === 8 ? bits : call.refuse("bits", "2, 4 or 8", `${bits}`)
}

/** Zero points of `[rows, blocks]`: packed like the weights, of the scales' type, or the middle where absent. */
const zeroPoints = (call: Composite, index: number, bits: number, rows: number, blocks: number): ArrayLike<number> => {
  const tensor = call.optional(index) === undefined ? undefined : constant(call, index, "zero_points")
  if (tensor === undefined) return new Float32Array(rows * blocks).fill(2 ** (bits - 1))
  if (tensor.type !== "uint8") return floats(call, index, "zero_points")
  return unpackBits(bytesAt(call, index, "zero_points"), bits, rows, blocks)
}

/**
 * com.microsoft.MatMulNBits with frozen weights: A · Wᵀ + bias. What has a gradient towards A as it is, numbers of 4 and 8
 * bits around zero points of whole numbers, stays one operator, whose sums are of floats: activations that a file allows
 * to be rounded to 8 bits would have no gradient. Of other forms W `[N, K]` is dequantized when the graph is prepared and
 * stays in memory as `float32` (16 times the size of 2 bits).
 */
export const matMulNBits: Decomposition = (call) => {
  const { g, node } = call
  call.refuseForm({ g_idx: 4 })
  const [K, N] = [call.count("K"), call.count("N")]
  const bits = bitWidth(call)
  const blockSize = call.count("block_size")
  const perRow = Math.ceil(K / blockSize)
  const a = call.input(0, "A")
  const [points, bias] = [call.optional(3), call.optional(5)]
  const sizeOfB = (N * perRow * blockSize * bits) / 8
  const found = call.constant(1)?.data.length ?? sizeOfB
  if (found !== sizeOfB) call.refuse("B", `${sizeOfB} bytes`, `of ${found} bytes`)
  if (bits !== 2 && a.type === "float32" && (points === undefined || points.type === "uint8")) {
    const { accuracy_level: _, ...attributes } = node.attributes
    const operands = [a, call.input(1, "B"), call.input(2, "scales"), points]
    const y = g.op(node.op, operands, { domain: node.domain, attributes })[0]!
    return [bias === undefined ? y : g.add(y, bias)]
  }
  const data = dequantized({
    rows: N,
    columns: K,
    blockSize,
    codes: unpackBits(bytesAt(call, 1, "B"), bits, N, perRow * blockSize),
    stride: perRow * blockSize,
    scales: floats(call, 2, "scales"),
    zeros: zeroPoints(call, 3, bits, N, perRow),
    transposed: true,
  })
  const product = g.matmul(g.cast(a, "float32"), g.constant(float32([K, N], data)))
  const y = bias === undefined ? product : g.add(product, g.cast(bias, "float32"))
  return [g.cast(y, a.type ?? "float32")]
}
