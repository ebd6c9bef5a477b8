import { type BlockWeight, type Float32Tensor, float32, fromBlocks, type Tensor, toBlocks } from "@tandem/onnx"
import { fnv1aOfCodePoints, splitMix32, uniforms } from "@tandem/random"
import { InvalidLora } from "./Errors.ts"
import type { LoraAdapter } from "./Lora.ts"

/**
 * Values of adapters before training, as PEFT makes them: A uniform between ±1/√in (Kaiming's with a = √5), B zero, so
 * that the model is what it was. A seed gives every module the same numbers, whichever others there are.
 */
export const initialAdapters = (adapters: readonly LoraAdapter[], seed: number): Map<string, Float32Tensor> =>
  new Map(
    adapters.flatMap(({ module, a, b, rank, inputs, outputs }) => {
      const uniform = uniforms(splitMix32(fnv1aOfCodePoints(`${seed}:${module}`)))
      const bound = 1 / Math.sqrt(inputs)
      const data = Float32Array.from({ length: rank * inputs }, () => bound * (2 * uniform() - 1))
      return [
        [a, float32([rank, inputs], data)] as const,
        [b, float32([outputs, rank], new Float32Array(outputs * rank))] as const,
      ]
    }),
  )

/**
 * Weights with their adapters in them, W + scale · B·A in each weight's own orientation: what computes the same without
 * adapters. Gives the changed weights alone.
 *
 * Of weights in blocks of 4 or 8 bits (`MatMulNBits`) what the codes stand for is changed, and put into blocks again: the
 * result has new codes, scales and zero points under their names, and is the merged weight to within the error of
 * `toBlocks`, so that changes of less than half a step may be lost. Merged into the weights of floats, nothing is.
 *
 * @throws InvalidLora where a weight or adapter is missing, of another shape, or quantised in another form
 */
export const mergeAdapters = (
  adapters: readonly LoraAdapter[],
  weights: ReadonlyMap<string, Tensor>,
  values: ReadonlyMap<string, Tensor>,
): Map<string, Tensor> => {
  const merged = new Map<string, Float32Tensor>()
  for (const adapter of adapters) {
    const { weight, outputFirst, rank, inputs, outputs, start, weightOutputs, scale } = adapter
    const a = find(values, adapter.a, [rank, inputs])
    const b = find(values, adapter.b, [outputs, rank])
    const dims = outputFirst ? [weightOutputs, inputs] : [inputs, weightOutputs]
    const known = merged.get(weight)
    const data = known?.data ?? (adapter.quantized ? decoded(adapter, weights) : find(weights, weight, dims).slice())
    const row = new Float64Array(inputs)
    for (let output = 0; output < outputs; output++) {
      row.fill(0)
      for (let r = 0; r < rank; r++) {
        const factor = scale * b[output * rank + r]!
        for (let input = 0; input < inputs; input++) row[input]! += factor * a[r * inputs + input]!
      }
      const first = outputFirst ? (start + output) * inputs : start + output
      const stride = outputFirst ? 1 : weightOutputs
      for (let input = 0; input < inputs; input++) data[first + input * stride]! += row[input]!
    }
    merged.set(weight, float32(dims, data))
  }
  const result = new Map<string, Tensor>(merged)
  for (const adapter of adapters) {
    if (!adapter.quantized) continue
    for (const [name, tensor] of encoded(adapter, merged.get(adapter.weight)!, weights)) result.set(name, tensor)
  }
  return result
}

const find = (tensors: ReadonlyMap<string, Tensor>, name: string, dims: readonly number[]): Float32Array => {
  const found = tensors.get(name)
  if (found?.data instanceof Float32Array && `${found.dims}` === `${dims}`) return found.data
  throw new InvalidLora({
    message: `${name} is not what its adapter needs`,
    tensor: name,
    expected: `float32[${dims}]`,
    found: found === undefined ? "nothing" : `${found.type}[${found.dims}]`,
  })
}

/** A weight in blocks, its tensors in the shapes that `toBlocks` gives them. */
const blockWeight = (adapter: LoraAdapter, weights: ReadonlyMap<string, Tensor>): BlockWeight => {
  const { weight, blocks, inputs, weightOutputs: outputs, module } = adapter
  if (blocks === undefined) {
    throw new InvalidLora({
      message: `${weight} is quantised, so the adapter of ${module} cannot be merged into it`,
      tensor: weight,
      hint: "keep the adapter beside the model, or merge it into the full-precision model",
    })
  }
  const { bits, blockSize, scales, zeroPoints } = blocks
  const perRow = Math.ceil(inputs / blockSize)
  const tensor = (name: string, type: Tensor["type"], dims: readonly number[]): Tensor => {
    const found = weights.get(name)
    const size = dims.reduce((product, dim) => product * dim, 1)
    if (found?.type === type && found.data.length === size) return { ...found, dims }
    throw new InvalidLora({
      message: `${name} is not what the adapter of ${module} needs`,
      tensor: name,
      expected: `${type} of ${size} elements`,
      found: found === undefined ? "nothing" : `${found.type}[${found.dims}]`,
    })
  }
  return {
    ...{ bits, blockSize, inputs, outputs, outputFirst: true },
    codes: tensor(weight, "uint8", [outputs, perRow, (blockSize * bits) / 8]),
    scales: tensor(scales, "float32", [outputs, perRow]),
    ...(zeroPoints === undefined
      ? {}
      : { zeroPoints: tensor(zeroPoints, "uint8", [outputs, Math.ceil((perRow * bits) / 8)]) }),
  }
}

const decoded = (adapter: LoraAdapter, weights: ReadonlyMap<string, Tensor>): Float32Array<ArrayBufferLike> =>
  fromBlocks(blockWeight(adapter, weights)).data

/** The merged weight in blocks, its tensors by name in the shapes that they have. */
const encoded = (
  { blocks, weight }: LoraAdapter,
  merged: Float32Tensor,
  weights: ReadonlyMap<string, Tensor>,
): readonly (readonly [string, Tensor])[] => {
  const { bits = 4, blockSize = 32, scales = "", zeroPoints } = blocks ?? {}
  const symmetric = zeroPoints === undefined
  const made = toBlocks(merged, { bits, blockSize, symmetric, outputFirst: true, name: weight })
  const named = [[weight, made.codes] as const, [scales, made.scales] as const]
  if (zeroPoints !== undefined) named.push([zeroPoints, made.zeroPoints!])
  return named.map(([name, tensor]) => [name, { ...tensor, dims: weights.get(name)?.dims ?? tensor.dims }])
}
