import type { GraphBuilder, Value } from "@tandem/onnx"

/**
 * The value as a constant: no gradient passes. `differentiate` by something that reaches the loss through here alone fails
 * instead of giving zeros.
 *
 * ONNX has no such operator; rounding has no gradient, so this is ⌊2²⁴ x⌋ / 2²⁴: x itself where |x| ≥ 1 and within 6e-8 of it
 * below, for |x| up to 1e31. Made for log-likelihoods and scores; at three passes over the data not for what is large.
 */
export const stopGradient = (g: GraphBuilder, x: Value): Value =>
  g.scope("stopGradient", () => {
    const whole = g.op("Floor", [g.mul(x, g.scalar(2 ** 24))])[0]!
    return g.mul(whole, g.scalar(2 ** -24))
  })
