import type { Graph, Tensor } from "@tandem/onnx"

/** A float tensor of the model that is large enough, and finite, to be a weight. */
export const isWeight = (value: Tensor): boolean => {
  const { type, data } = value
  if (type !== "float32" || data.length < 2) return false
  // Masks hold −∞ or the type's lowest number.
  for (let i = 0; i < data.length; i++) if (!(Math.abs(Number(data[i])) < 1e30)) return false
  return true
}

/** The weights of a prepared graph by name: initializers that `isWeight`. */
export const weightsOf = (graph: Graph): ReadonlyMap<string, Tensor> =>
  new Map([...graph.initializers].filter(([, value]) => isWeight(value)))
