import { InvalidTensor } from "./Errors.ts"
import { dequantized, packBits, unpackBits } from "./internal/blocks.ts"
import { finiteFloats } from "./internal/quantizeWeight.ts"
import { type Float32Tensor, float32, type Tensor, tensor } from "./Tensor.ts"

/** How a matrix is stored in blocks of few bits. */
export interface BlockOptions {
  /** Bits of each number: 4 (the default) or 8. */
  readonly bits?: 4 | 8
  /** How many numbers share a scale: a power of two, at least 16; 32 where absent. */
  readonly blockSize?: number
  /** Whether every block is centred on 0 (the default); else each has a zero point, one number more and less error. */
  readonly symmetric?: boolean
}

/**
 * A matrix of weights of few bits, as ONNX Runtime's `MatMulNBits` reads it. Each output's weights stand in blocks along
 * the inputs, and `(code − zero point) · scale` of its block is the weight that a code stands for.
 */
export interface BlockWeight {
  readonly bits: 4 | 8
  readonly blockSize: number
  readonly inputs: number
  readonly outputs: number
  /** Whether the matrix was stored as `[outputs, inputs]`, else `[inputs, outputs]`. */
  readonly outputFirst: boolean
  /** `[outputs, blocks, blockSize · bits / 8] uint8`, the lower half of a byte first. */
  readonly codes: Tensor
  /** `[outputs, blocks] float32` */
  readonly scales: Tensor
  /** `[outputs, ⌈blocks · bits / 8⌉] uint8`, packed as codes are; 2^(bits − 1) everywhere where absent. */
  readonly zeroPoints?: Tensor
}

/** What `toBlocks` needs to know besides. */
export interface ToBlocksOptions extends BlockOptions {
  /** Whether the matrix is stored as `[outputs, inputs]`, else `[inputs, outputs]`. */
  readonly outputFirst: boolean
  /** Its name, for errors. */
  readonly name?: string
}

/**
 * A `float32` matrix in blocks of few bits, each number rounded to the nearest that there is.
 *
 * A symmetric block's number of the largest size gets the code 0, so that the others are off by at most half a step of
 * 1/2^(bits − 1) of it; only what is as large with the other sign, and has no code, is off by up to one step. Weights that
 * have come from such blocks (`fromBlocks`) get the same codes and scales again. An asymmetric block spans its smallest
 * and its largest number, and 0, in 2^bits − 1 steps, and all are off by at most half a step.
 *
 * @throws InvalidTensor where the tensor is no `float32` matrix of finite numbers, or the block size is none that there is
 *
 * @example
 * ```ts
 * import { float32, fromBlocks, toBlocks } from "@tandem/onnx"
 *
 * const weight = float32([1, 16], Array.from({ length: 16 }, (_, i) => (i - 8) / 8))
 * const blocks = toBlocks(weight, { blockSize: 16, outputFirst: true })
 * console.log(blocks.codes.dims, blocks.scales.data[0]) // [ 1, 1, 8 ] 0.125
 * console.log(fromBlocks(blocks).data.join() === weight.data.join()) // true
 * ```
 */
export const toBlocks = (weight: Tensor, options: ToBlocksOptions): BlockWeight => {
  const { bits = 4, blockSize = 32, symmetric = true, outputFirst, name = "the weight" } = options
  requireBlockSize(blockSize)
  const data = finiteFloats(name, weight)
  if (weight.dims.length !== 2) {
    throw new InvalidTensor({
      message: `tensor ${name} is no matrix, so it cannot be quantized`,
      tensor: name,
      expected: "two dimensions",
      found: `[${weight.dims}]`,
    })
  }
  const [first = 0, second = 0] = weight.dims
  const [outputs, inputs] = outputFirst ? [first, second] : [second, first]
  // Distances in memory between neighbouring outputs and inputs
  const [down, right] = outputFirst ? [inputs, 1] : [1, outputs]
  const blocks = Math.ceil(inputs / blockSize)
  const codes = new Uint8Array(outputs * blocks * blockSize)
  const scales = new Float32Array(outputs * blocks)
  const zeros = new Uint8Array(outputs * blocks)
  const last = 2 ** bits - 1
  for (let block = 0; block < scales.length; block++) {
    const output = Math.floor(block / blocks)
    const start = (block % blocks) * blockSize
    const end = Math.min(start + blockSize, inputs)
    const at = (input: number): number => data[output * down + input * right]!
    const { scale, zero } = (symmetric ? centred : spanned)(at, start, end, bits)
    scales[block] = scale
    zeros[block] = zero
    for (let input = start; input < end; input++) {
      const code = scale === 0 ? zero : Math.round(at(input) / scale) + zero
      codes[block * blockSize + input - start] = Math.min(last, Math.max(0, code))
    }
    // What fills the last block up stands for 0
    codes.fill(zero, block * blockSize + end - start, (block + 1) * blockSize)
  }
  const bytes = (blockSize * bits) / 8
  return {
    ...{ bits, blockSize, inputs, outputs, outputFirst },
    codes: tensor("uint8", [outputs, blocks, bytes], packBits(codes, bits, outputs, blocks * blockSize)),
    scales: float32([outputs, blocks], scales),
    ...(symmetric
      ? {}
      : {
          zeroPoints: tensor(
            "uint8",
            [outputs, Math.ceil((blocks * bits) / 8)],
            packBits(zeros, bits, outputs, blocks),
          ),
        }),
  }
}

/** The matrix that blocks stand for, `float32`, in the orientation that it was stored in. */
export const fromBlocks = (weight: BlockWeight): Float32Tensor => {
  const { bits, blockSize, inputs, outputs, outputFirst, codes, scales, zeroPoints } = weight
  const blocks = Math.ceil(inputs / blockSize)
  const bytes = (value: Tensor): Uint8Array => {
    if (value.data instanceof Uint8Array) return value.data
    throw new InvalidTensor({ message: "codes and zero points are bytes", expected: "uint8", found: value.type })
  }
  const data = dequantized({
    rows: outputs,
    columns: inputs,
    blockSize,
    codes: unpackBits(bytes(codes), bits, outputs, blocks * blockSize),
    scales: finiteFloats("scales", scales),
    zeros:
      zeroPoints === undefined
        ? new Uint8Array(outputs * blocks).fill(2 ** (bits - 1))
        : unpackBits(bytes(zeroPoints), bits, outputs, blocks),
    stride: blocks * blockSize,
    transposed: !outputFirst,
  })
  return float32(outputFirst ? [outputs, inputs] : [inputs, outputs], data)
}

/** Refuses what `MatMulNBits` does not know as a block size. */
export const requireBlockSize = (blockSize: number): void => {
  if (Number.isSafeInteger(blockSize) && blockSize >= 16 && Number.isInteger(Math.log2(blockSize))) return
  throw new InvalidTensor({
    message: "weights cannot be stored in blocks of this size",
    expected: "a power of two, at least 16",
    found: `${blockSize}`,
  })
}

type At = (input: number) => number

interface Step {
  readonly scale: number
  readonly zero: number
}

/** Steps on both sides of 0, on that of the largest number one more. */
const centred = (at: At, start: number, end: number, bits: number): Step => {
  let largest = 0
  for (let input = start; input < end; input++) if (Math.abs(at(input)) > Math.abs(largest)) largest = at(input)
  const half = 2 ** (bits - 1)
  return { scale: Math.fround(-largest / half), zero: half }
}

/** Steps from the smallest number to the largest, one of them at 0. */
const spanned = (at: At, start: number, end: number, bits: number): Step => {
  let [low, high] = [0, 0]
  for (let input = start; input < end; input++) {
    low = Math.min(low, at(input))
    high = Math.max(high, at(input))
  }
  const last = 2 ** bits - 1
  const scale = Math.fround((high - low) / last)
  return { scale, zero: scale === 0 ? 0 : Math.min(last, Math.round(-low / scale)) }
}
