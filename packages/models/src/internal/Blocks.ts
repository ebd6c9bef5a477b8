import { float, type GraphBuilder, int, type Value } from "@tandem/onnx"
import type { Activation } from "../decoder/Decoder.ts"

/**
 * `x / √(mean(x²) + ε) · weight` over the last axis, as ONNX Runtime's operator: one pass forward, and the backward pass
 * reads the deviation that it saves.
 */
export const fusedRmsNormalization = (g: GraphBuilder, x: Value, weight: Value, epsilon: number): Value =>
  g.op("SimplifiedLayerNormalization", [x, weight], {
    attributes: { axis: int(-1), epsilon: float(epsilon) },
    outputs: [{ type: x.type, dims: x.dims }],
  })[0]!

/** The same in operators of ONNX's own, as exporters write it and providers fuse it. */
export const rmsNormalization = (g: GraphBuilder, x: Value, weight: Value, epsilon: number): Value => {
  const square = g.reduceMean(g.pow(x, g.scalar(2)), [-1])
  return g.mul(g.mul(x, g.reciprocal(g.sqrt(g.add(square, g.scalar(epsilon))))), weight)
}

/** Activations by the names that configs give them. */
export const activations: Readonly<Record<string, Activation>> = {
  silu: "silu",
  swish: "silu",
  gelu: "gelu",
  gelu_new: "gelu_tanh",
  gelu_fast: "gelu_tanh",
  gelu_pytorch_tanh: "gelu_tanh",
  relu: "relu",
}

/** The activation of a feed-forward layer. */
export const activate = (g: GraphBuilder, activation: Activation, x: Value): Value => {
  switch (activation) {
    case "silu":
      return g.mul(x, g.sigmoid(x))
    case "gelu":
      return g.gelu(x)
    case "gelu_tanh":
      return g.gelu(x, "tanh")
    case "relu":
      return g.relu(x)
  }
}
