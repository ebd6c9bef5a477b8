import { elementCount, type Tensor } from "@tandem/onnx"
import { InvalidLanguageModel } from "../Errors.ts"
import { toFloat32 } from "../Floats.ts"
import type { Parameter } from "../Parameter.ts"

/** The weights of a language model among the tensors of a file. */
export interface LanguageModelWeights {
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly unused: ReadonlyMap<string, Tensor>
}

/**
 * Picks named weights out of a checkpoint, as `float32`. A name may lack its first part, as checkpoints of models
 * without a head have it. A missing weight or one of another shape ends in `InvalidLanguageModel`.
 */
export const pickWeights = (
  wanted: readonly Parameter[],
  tensors: ReadonlyMap<string, Tensor>,
  file = "model.safetensors",
): LanguageModelWeights => {
  const used = new Set<string>()
  const parameters = new Map<string, Tensor>()
  for (const { name, dims } of wanted) {
    const key = [name, name.replace(/^(transformer|model)\./, "")].find((candidate) => tensors.has(candidate))
    const value = key === undefined ? undefined : tensors.get(key)
    if (key === undefined || value === undefined) {
      throw new InvalidLanguageModel({
        message: `the weights lack ${name}`,
        file,
        tensor: name,
        hint: "the checkpoint belongs to another architecture than config.json says, or to a part of a model",
      })
    }
    if (value.dims.join() !== dims.join()) {
      throw new InvalidLanguageModel({
        message: `tensor ${key} has another shape than the model's config says`,
        file,
        tensor: key,
        expected: `[${dims}], ${elementCount(dims)} elements`,
        found: `[${value.dims}]`,
      })
    }
    used.add(key)
    parameters.set(name, toFloat32(value, key))
  }
  return { parameters, unused: new Map([...tensors].filter(([name]) => !used.has(name))) }
}
