import { bytesOf, type Tensor } from "@tandem/onnx"

/**
 * Gives the first of all tensors that equal the one in hand, element by element: layers that compute the same mask or
 * the same angles each for itself then share one.
 */
export const firstOfEqual = (): ((tensor: Tensor) => Tensor) => {
  const seen = new Map<string, { readonly tensor: Tensor; readonly bytes: Uint8Array }[]>()
  return (tensor) => {
    if (tensor.type === "string") return tensor
    const bytes = bytesOf(tensor)
    const key = `${tensor.type}[${tensor.dims}]${hash(bytes)}`
    const candidates = seen.get(key) ?? []
    const known = candidates.find((each) => each.bytes.every((byte, index) => byte === bytes[index]))
    if (known !== undefined) return known.tensor
    seen.set(key, [...candidates, { tensor, bytes }])
    return tensor
  }
}

/** FNV-1a. */
const hash = (bytes: Uint8Array): number => {
  let state = 0x811c9dc5
  for (const byte of bytes) state = Math.imul(state ^ byte, 0x01000193)
  return state >>> 0
}
