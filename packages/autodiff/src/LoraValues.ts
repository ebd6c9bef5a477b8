import { type Float32Tensor, float32, type Tensor } from "@tandem/onnx"
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
 * @throws InvalidLora where a weight or adapter is missing, of another shape, or quantised
 */
export const mergeAdapters = (
  adapters: readonly LoraAdapter[],
  weights: ReadonlyMap<string, Tensor>,
  values: ReadonlyMap<string, Tensor>,
): Map<string, Float32Tensor> => {
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
  const result = new Map<string, Float32Tensor>()
  for (const adapter of adapters) {
    const { weight, outputFirst, quantized, rank, inputs, outputs, start, weightOutputs, scale } = adapter
    if (quantized) {
      throw new InvalidLora({
        message: `${weight} is quantised, so the adapter of ${adapter.module} cannot be merged into it`,
        tensor: weight,
        hint: "keep the adapter beside the model, or merge it into the full-precision model",
      })
    }
    const a = find(values, adapter.a, [rank, inputs])
    const b = find(values, adapter.b, [outputs, rank])
    const dims = outputFirst ? [weightOutputs, inputs] : [inputs, weightOutputs]
    const merged = result.get(weight)?.data ?? find(weights, weight, dims).slice()
    const row = new Float64Array(inputs)
    for (let output = 0; output < outputs; output++) {
      row.fill(0)
      for (let r = 0; r < rank; r++) {
        const factor = scale * b[output * rank + r]!
        for (let input = 0; input < inputs; input++) row[input]! += factor * a[r * inputs + input]!
      }
      const first = outputFirst ? (start + output) * inputs : start + output
      const stride = outputFirst ? 1 : weightOutputs
      for (let input = 0; input < inputs; input++) merged[first + input * stride]! += row[input]!
    }
    result.set(weight, float32(dims, merged))
  }
  return result
}
