import { elementCount, int, int32, intAttribute } from "@tandem/onnx"
import { unsupported } from "../internal/refusals.ts"
import { type Gradient, type RuleTable, stop, todo } from "../Rule.ts"

const frozen = todo("numbers of few bits are frozen")

/**
 * Y = A·Wᵀ, W `[N, K]` in blocks of few bits along K. dA = dY·W.
 * W is made for this one product, row by row, and let go again: nothing that is kept is larger than its codes. (A second
 * copy in blocks along N would be another rounding of W, hence another gradient.)
 */
const matMulNBitsA: Gradient = (context) => {
  const { g, node, dY } = context
  const { A, B, scales, zero_points: zeros, g_idx: order } = context.in
  const [bits, blockSize, K, N] = ["bits", "block_size", "K", "N"].map((name) => intAttribute(node, name, 4))
  if (bits !== 4 && bits !== 8) {
    throw unsupported(context, { input: "A", attribute: "bits", found: `${bits}`, expected: "4 or 8" })
  }
  const fits = order === undefined && (zeros === undefined || zeros.type === "uint8")
  if (!fits) {
    const found = order === undefined ? `zero points of ${zeros?.type}` : "g_idx"
    throw unsupported(context, {
      input: "A",
      attribute: "its blocks",
      found,
      expected: "in order, zero points of uint8",
    })
  }
  const blocks = Math.ceil(K! / blockSize!)
  const rows = g.constant(
    int32(
      [N!],
      Array.from({ length: N! }, (_, row) => row),
    ),
  )
  const table = [
    g.reshape(B!, [N!, (blocks * blockSize! * bits) / 8]),
    rows,
    g.reshape(scales!, [N!, blocks]),
    zeros === undefined ? undefined : g.reshape(zeros, [N!, Math.ceil((blocks * bits) / 8)]),
  ]
  const attributes = { bits: int(bits), block_size: int(blockSize!), gather_axis: int(0), quantize_axis: int(1) }
  const [weight] = g.op("GatherBlockQuantized", table, { domain: "com.microsoft", attributes })
  const flat = dY.dims.length === 2 ? dY : g.reshape(dY, [elementCount(dY.dims.slice(0, -1)), N!])
  const product = g.matmul(flat, weight!)
  // What fills up the last block of a row is none of A's
  const own = blocks * blockSize! === K ? product : g.slice(product, 1, 0, K!)
  return dY.dims.length === 2 ? own : g.reshape(own, A!.dims)
}

/** Gradients of products and look-ups that read weights of few bits: towards activations alone. */
export const quantizedProductRules: RuleTable = {
  "com.microsoft.MatMulNBits": [
    {
      since: 1,
      inputs: {
        A: matMulNBitsA,
        B: frozen,
        scales: frozen,
        zero_points: frozen,
        g_idx: stop("an order is made of integers"),
        bias: ({ dY }) => dY,
      },
    },
  ],
  "com.microsoft.GatherBlockQuantized": [
    {
      since: 1,
      inputs: { data: frozen, indices: stop("indices are integers"), scales: frozen, zero_points: frozen },
    },
  ],
}
