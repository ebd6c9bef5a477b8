import { initialAdapters, type LoraAdapter } from "@tandem/autodiff"
import { float32, type Tensor } from "@tandem/onnx"
import { uniforms } from "./Numbers.ts"

/** The adapters that both sides train. */
export const lora = {
  rank: 16,
  alpha: 32,
  targets: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
} as const

/** Both sides' A, by the order of the modules' names; B is zero, as PEFT begins. */
export const adapterValues = (adapters: readonly LoraAdapter[]): ReadonlyMap<string, Tensor> => {
  const values: Map<string, Tensor> = initialAdapters(adapters, 0)
  for (const [index, { a, rank, inputs }] of adapters.toSorted((x, y) => (x.module < y.module ? -1 : 1)).entries()) {
    const bound = 1 / Math.sqrt(inputs)
    const data = Float32Array.from(uniforms(rank * inputs, index), (value) => bound * (2 * value - 1))
    values.set(a, float32([rank, inputs], data))
  }
  return values
}
