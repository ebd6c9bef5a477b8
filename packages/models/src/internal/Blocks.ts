import type { GraphBuilder, Value } from "@tandem/onnx"
import type { Activation } from "../Decoder.ts"

/** `x / √(mean(x²) + ε) · weight` over the last axis, which has `size` elements. */
export const rmsNormalization = (g: GraphBuilder, x: Value, weight: Value, epsilon: number): Value => {
  const square = g.reduceMean(g.pow(x, g.scalar(2)), [-1])
  return g.mul(g.mul(x, g.reciprocal(g.sqrt(g.add(square, g.scalar(epsilon))))), weight)
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
