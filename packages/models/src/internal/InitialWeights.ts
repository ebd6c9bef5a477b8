import { elementCount, type Tensor, tensor } from "@tandem/onnx"
import type { Parameter } from "../Parameter.ts"

/** Standard deviation of the weights, as BERT was initialised. */
export const deviation = 0.02

/** A weight before training: normal numbers cut off at two deviations; biases are 0, norms 1. */
export const initial = ({ role, dims }: Parameter, normal: () => number): Tensor => {
  const data = new Float32Array(elementCount(dims))
  if (role === "scale") data.fill(1)
  else if (role !== "bias") for (let i = 0; i < data.length; i++) data[i] = deviation * normal()
  return tensor("float32", dims, data)
}
