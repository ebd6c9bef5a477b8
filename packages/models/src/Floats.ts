import { type Float32Tensor, float32, type Tensor } from "@tandem/onnx"
import { InvalidEncoder } from "./Errors.ts"

/**
 * The tensor with 32-bit floats: itself where it is `float32` already, converted exactly from `float16` and `bfloat16`,
 * rounded from `float64`. Other types are not weights and end in `InvalidEncoder`.
 */
export const toFloat32 = (value: Tensor, name: string): Float32Tensor => {
  const { type, dims, data } = value
  if (type === "float32" && data instanceof Float32Array) return { type, dims, data }
  if (type === "float64" && data instanceof Float64Array) return float32(dims, Float32Array.from(data))
  if (type === "bfloat16" && data instanceof Uint16Array) {
    const result = new Float32Array(data.length)
    const bits = new Uint32Array(result.buffer)
    for (let i = 0; i < data.length; i++) bits[i] = data[i]! << 16
    return float32(dims, result)
  }
  if (type === "float16" && data instanceof Uint16Array) {
    const result = new Float32Array(data.length)
    for (let i = 0; i < data.length; i++) result[i] = halfToFloat(data[i]!)
    return float32(dims, result)
  }
  throw new InvalidEncoder({
    message: `tensor ${name} does not hold floats`,
    tensor: name,
    expected: "float32, float16, bfloat16 or float64",
    found: type,
  })
}

/** The number behind an IEEE 754 binary16 pattern. */
const halfToFloat = (bits: number): number => {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 0x1f
  const fraction = bits & 0x3ff
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
