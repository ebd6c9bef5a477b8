import type { Tensor } from "@tandem/onnx"
import type * as ort from "onnxruntime-common"

/** The tensor as ONNX Runtime's JavaScript API takes it; the constructor is that of the runtime's own copy of the API. */
export const toOrt = (factory: typeof ort.Tensor, tensor: Tensor): ort.Tensor => {
  if (tensor.type === "bfloat16") throw new Error("ONNX Runtime takes no bfloat16 from JavaScript")
  if (!ArrayBuffer.isView(tensor.data)) return new factory("string", [...tensor.data], tensor.dims)
  const data = tensor.data
  switch (tensor.type) {
    case "float16":
    case "uint16":
      if (data instanceof Uint16Array) return new factory(tensor.type, data, tensor.dims)
      break
    case "bool":
    case "uint8":
      if (data instanceof Uint8Array) return new factory(tensor.type, data, tensor.dims)
      break
    default:
      return new factory(tensor.type, data, tensor.dims)
  }
  throw new Error(`a ${tensor.type} tensor holds ${data.constructor.name}`)
}

/** A tensor of ONNX Runtime's, which must lie in host memory. */
export const fromOrt = (value: ort.Tensor): Tensor => {
  const { type, dims, data } = value
  if (type === "uint4" || type === "int4") throw new Error("4-bit tensors are not read back")
  return { type, dims: [...dims], data: data instanceof Uint8ClampedArray ? new Uint8Array(data.buffer) : data }
}
