import type { Value } from "../Graph.ts"
import { fromFloat16 } from "../internal/half.ts"
import { elementCount, float32, type Tensor, toNumbers } from "../Tensor.ts"
import type { Composite, Decomposition } from "./Composite.ts"

/** Numbers of `bits` bits each, packed in bytes from the low end, rows padded to whole bytes. */
const unpackBits = (bytes: Uint8Array, bits: number, rows: number, columns: number): Uint8Array => {
  const perByte = 8 / bits
  const stride = Math.ceil(columns / perByte)
  const mask = 2 ** bits - 1
  const result = new Uint8Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const byte = bytes[row * stride + Math.floor(column / perByte)]!
      result[row * columns + column] = (byte >> (bits * (column % perByte))) & mask
    }
  }
  return result
}

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

/** What the blocks of a weight stand for. */
interface Blocks {
  readonly rows: number
  readonly columns: number
  readonly blockSize: number
  readonly quantized: ArrayLike<number>
  readonly scales: ArrayLike<number>
  readonly zeros: ArrayLike<number>
}

/** (q − zero point) · scale `[rows, columns]`, block by block along the rows; transposed if asked. */
const dequantize = (blocks: Blocks, stride: number, transposed: boolean): Float32Array<ArrayBuffer> => {
  const { rows, columns, blockSize, quantized, scales, zeros } = blocks
  const perRow = Math.ceil(columns / blockSize)
  const result = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const block = row * perRow + Math.floor(column / blockSize)
      const value = (quantized[row * stride + column]! - zeros[block]!) * scales[block]!
      result[transposed ? column * rows + row : row * columns + column] = value
    }
  }
  return result
}

/**
 * com.microsoft.MatMulNBits with frozen weights: A · Wᵀ + bias, where W `[N, K]` is dequantized when the graph is
 * prepared and stays in memory as float32 (8 times the size of 4 bits). Only A and bias can receive a gradient.
 */
export const matMulNBits: Decomposition = (call) => {
  const { g } = call
  call.refuseForm({ g_idx: 4 })
  const [K, N] = [call.count("K"), call.count("N")]
  const bits = bitWidth(call)
  const blockSize = call.count("block_size")
  const perRow = Math.ceil(K / blockSize)
  const a = call.input(0, "A")
  const packed = bytesAt(call, 1, "B")
  if (packed.length !== (N * perRow * blockSize * bits) / 8) {
    call.refuse("B", `${(N * perRow * blockSize * bits) / 8} bytes`, `of ${packed.length} bytes`)
  }
  const blocks: Blocks = {
    rows: N,
    columns: K,
    blockSize,
    quantized: unpackBits(packed, bits, N, perRow * blockSize),
    scales: floats(call, 2, "scales"),
    zeros: zeroPoints(call, 3, bits, N, perRow),
  }
  const weight = g.constant(float32([K, N], dequantize(blocks, perRow * blockSize, true)))
  const product = g.matmul(g.cast(a, "float32"), weight)
  const bias = call.optional(5)
  const y = bias === undefined ? product : g.add(product, g.cast(bias, "float32"))
  return [g.cast(y, a.type ?? "float32")]
}

/** com.microsoft.GatherBlockQuantized with a frozen table: rows of what it stands for, dequantized beforehand. */
export const gatherBlockQuantized: Decomposition = (call) => {
  const { g } = call
  const table = constant(call, 0, "data")
  const bits = table.type === "uint8" ? bitWidth(call) : call.refuse("data", "uint8", table.type)
  const scales = constant(call, 2, "scales")
  const blockSize = call.int("block_size", 128)
  const rank = table.dims.length
  const along = call.int("quantize_axis", 1)
  if (along !== rank - 1 && along !== -1) call.refuse("quantize_axis", `the last, ${rank - 1}`, `${along}`)
  const rows = elementCount(table.dims.slice(0, -1))
  const columns = (table.dims.at(-1) ?? 0) * (8 / bits)
  const perRow = Math.ceil(columns / blockSize)
  const blocks: Blocks = {
    rows,
    columns,
    blockSize,
    quantized: unpackBits(bytesAt(call, 0, "data"), bits, rows, columns),
    scales: floats(call, 2, "scales"),
    zeros: zeroPoints(call, 3, bits, rows, perRow),
  }
  const dims = [...table.dims.slice(0, -1), columns]
  const whole: Value = g.constant(float32(dims, dequantize(blocks, columns, false)))
  return [g.cast(g.gather(whole, call.input(1, "indices"), call.int("gather_axis", 0)), scales.type)]
}
