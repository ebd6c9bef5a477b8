import { TensorProto_DataType } from "../gen/onnx_pb.js"
import type { ElementType } from "../Tensor.ts"

/** Element types by ONNX's codes for them. */
export const typeNames: ReadonlyMap<number, ElementType> = new Map<number, ElementType>([
  [TensorProto_DataType.FLOAT, "float32"],
  [TensorProto_DataType.UINT8, "uint8"],
  [TensorProto_DataType.INT8, "int8"],
  [TensorProto_DataType.UINT16, "uint16"],
  [TensorProto_DataType.INT16, "int16"],
  [TensorProto_DataType.INT32, "int32"],
  [TensorProto_DataType.INT64, "int64"],
  [TensorProto_DataType.STRING, "string"],
  [TensorProto_DataType.BOOL, "bool"],
  [TensorProto_DataType.FLOAT16, "float16"],
  [TensorProto_DataType.DOUBLE, "float64"],
  [TensorProto_DataType.UINT32, "uint32"],
  [TensorProto_DataType.UINT64, "uint64"],
  [TensorProto_DataType.BFLOAT16, "bfloat16"],
])

/** ONNX's codes by element type. */
export const typeCodes: ReadonlyMap<ElementType, number> = new Map([...typeNames].map(([code, name]) => [name, code]))
