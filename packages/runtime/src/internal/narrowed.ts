import { type Tensor, toInt32 } from "@tandem/onnx"

/** The tensor as a session's input of that type takes it: a provider without 64-bit integers has 32-bit inputs. */
export const narrowed = (value: Tensor, type: string | undefined): Tensor =>
  value.type === "int64" && type === "int32" ? toInt32(value) : value
