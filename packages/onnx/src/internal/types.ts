import type { ElementType } from "../Tensor.ts"

/** Element types by ONNX's codes for them (`TensorProto.DataType`). */
export const typeNames: ReadonlyMap<number, ElementType> = new Map<number, ElementType>([
  [1, "float32"],
  [2, "uint8"],
  [3, "int8"],
  [4, "uint16"],
  [5, "int16"],
  [6, "int32"],
  [7, "int64"],
  [8, "string"],
  [9, "bool"],
  [10, "float16"],
  [11, "float64"],
  [12, "uint32"],
  [13, "uint64"],
  [16, "bfloat16"],
])

/** ONNX's codes by element type. */
export const typeCodes: ReadonlyMap<ElementType, number> = new Map([...typeNames].map(([code, name]) => [name, code]))
