import { type Tensor, toInt32 } from "@tandem/onnx"

/**
 * The tensor as a session's input of that type takes it: a provider without 64-bit integers has 32-bit inputs, and masks may
 * be factors of one byte each (`maskFactors`), as they lie in memory already.
 */
export const narrowed = (value: Tensor, type: string | undefined): Tensor => {
  if (value.type === "int64" && type === "int32") return toInt32(value)
  return value.type === "bool" && type === "uint8" ? { ...value, type } : value
}
