import { float32, type Tensor } from "@tandem/onnx"
import type { DualEncoderItem } from "../DualEncoderItem.ts"
import { InvalidBatch } from "../Errors.ts"

/** `weights` `[queries] float32` of a batch, where they are asked for. */
export const weightsOf = (
  items: readonly DualEncoderItem[],
  { weights = false }: { readonly weights?: boolean },
): Readonly<Record<string, Tensor>> => {
  if (!weights) return {}
  const values = items.map(({ weight = 1 }, index) => {
    if (Number.isFinite(weight) && weight >= 0) return weight
    throw new InvalidBatch({
      message: `item ${index} cannot count so much`,
      field: `[${index}].weight`,
      expected: "a finite number of 0 or more",
      found: `${weight}`,
    })
  })
  return { weights: float32([items.length], values) }
}
