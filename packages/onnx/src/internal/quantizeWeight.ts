import { InvalidTensor } from "../Errors.ts"
import { float32, type Tensor, tensor } from "../Tensor.ts"

/** Element types that weights of integer products can have. */
export type WeightType = "int8" | "uint8"

/** An 8-bit tensor with `(values − zero) · scale ≈ original`. */
export interface QuantizedWeight {
  readonly values: Tensor
  readonly scale: Tensor
  readonly zero: Tensor
}

interface WeightOptions {
  readonly type: WeightType
  /** A scale for each column of the result instead of one. */
  readonly perChannel: boolean
  /** Whether the matrix is stored with its rows as output channels. */
  readonly transposed: boolean
  /** A factor that goes into the scale. */
  readonly alpha: number
}

/** A `[inputs, outputs]` matrix (or its transpose) as an 8-bit `[inputs, outputs]` matrix, symmetric around zero. */
export const quantizeWeight = (name: string, weight: Tensor, options: WeightOptions): QuantizedWeight => {
  const { type, perChannel, transposed, alpha } = options
  const data = finiteFloats(name, weight)
  const [first = 0, second = 0] = weight.dims
  const [rows, columns] = transposed ? [second, first] : [first, second]
  // Distances in memory between neighbours of a column and of a row.
  const [down, right] = transposed ? [1, rows] : [columns, 1]
  const largest = new Float32Array(columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const size = Math.abs(data[row * down + column * right]!)
      if (size > largest[column]!) largest[column] = size
    }
  }
  const steps = stepsOf(largest, perChannel)
  const zero = type === "uint8" ? 128 : 0
  const values = type === "uint8" ? new Uint8Array(rows * columns) : new Int8Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      values[row * columns + column] = Math.round(data[row * down + column * right]! / steps[column]!) + zero
    }
  }
  return {
    values: tensor(type, [rows, columns], values),
    scale: perChannel
      ? float32(
          [columns],
          steps.map((value) => value * alpha),
        )
      : float32([], [steps[0]! * alpha]),
    zero: tensor(type, [], type === "uint8" ? Uint8Array.of(zero) : Int8Array.of(zero)),
  }
}

/** A table as `int8`, symmetric around zero, with scales `[rows, 1]` or a single one. */
export const quantizeRows = (name: string, table: Tensor, perRow: boolean): QuantizedWeight => {
  const data = finiteFloats(name, table)
  const [rows = 0, columns = 0] = table.dims
  const largest = new Float32Array(rows)
  for (let row = 0, index = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) largest[row] = Math.max(largest[row]!, Math.abs(data[index++]!))
  }
  const steps = stepsOf(largest, perRow)
  const values = new Int8Array(data.length)
  for (let row = 0, index = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, index++) values[index] = Math.round(data[index]! / steps[row]!)
  }
  return {
    values: tensor("int8", [rows, columns], values),
    scale: perRow ? float32([rows, 1], steps) : float32([], [steps[0]!]),
    zero: tensor("int8", [], Int8Array.of(0)),
  }
}

/** The width of a quantization step for each channel, or one width for all; 1 where everything is zero. */
const stepsOf = (largest: Float32Array, each: boolean): Float32Array => {
  const common = largest.reduce((most, value) => Math.max(most, value), 0)
  return largest.map((value) => Math.fround((each ? value : common) / 127) || 1)
}

/** The elements of a `float32` tensor that is to be quantized, all of them finite. */
export const finiteFloats = (name: string, weight: Tensor): Float32Array => {
  const { data } = weight
  if (!(data instanceof Float32Array)) {
    throw new InvalidTensor({
      message: `tensor ${name} cannot be quantized`,
      tensor: name,
      expected: "float32",
      found: weight.type,
    })
  }
  for (let bad = 0; bad < data.length; bad++) {
    if (Number.isFinite(data[bad])) continue
    throw new InvalidTensor({
      message: `element ${bad} of tensor ${name} is not finite, so the tensor cannot be quantized`,
      tensor: name,
      found: `${data[bad]}`,
    })
  }
  return data
}
