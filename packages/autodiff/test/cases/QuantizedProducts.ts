import type { Tensor } from "@tandem/onnx"
import { type Cases, int, spread } from "./Values.ts"

const bytes = (dims: readonly number[]): Tensor => {
  const length = dims.reduce((a, b) => a * b, 1)
  return { type: "uint8", dims, data: Uint8Array.from({ length }, (_, index) => (index * 151 + 40) % 256) }
}

const bias = spread([5], -1, 1, 4)

/** x of these dimensions by weights `[5, K]` of so many bits in blocks of 16. */
const products = [4, 8].flatMap((bits) =>
  [
    { name: "matrix", dims: [3, 32] },
    { name: "three axes", dims: [2, 3, 32] },
    { name: "last block not full", dims: [3, 40] },
    { name: "zero points", dims: [3, 40], asymmetric: true },
    { name: "zero points and bias", dims: [2, 2, 32], asymmetric: true, added: true },
  ].map(({ name, dims, asymmetric, added }) => {
    const K = dims.at(-1)!
    const blocks = Math.ceil(K / 16)
    const zeros = asymmetric === true ? bytes([5 * Math.ceil((blocks * bits) / 8)]) : undefined
    const weights = [bytes([5, blocks, 2 * bits]), spread([5 * blocks], -0.3 / bits, 0.3 / bits, 3), zeros]
    return {
      name: `${bits} bits, ${name}`,
      inputs: [spread(dims), ...weights, ...(added === true ? [undefined, bias] : [])],
      attributes: { K: int(K), N: int(5), bits: int(bits), block_size: int(16) },
      wrt: added === true ? [0, 5] : [0],
    }
  }),
)

export const quantizedProductCases: Cases = { "com.microsoft.MatMulNBits": products }
