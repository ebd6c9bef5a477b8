import { float, int, type Value } from "../Graph.ts"
import type { Composite, Decomposition } from "./Composite.ts"
import { countFrom, lengthOf } from "./masks.ts"

/** `layerNormalization` over the last axis; without a bias where the operator has none. */
const layerNormalization = (call: Composite, x: Value, scale: Value, bias: Value | undefined): Value =>
  call.g.layerNormalization(x, scale, bias, call.float("epsilon", 1e-12))

/** scale · x / √(mean(x²) + ε) over the axes from `axis` on, as ONNX Runtime's own operator. */
const rmsNormalization = (call: Composite, x: Value, scale: Value, epsilon: number, axis = -1): Value =>
  call.g.op("SimplifiedLayerNormalization", [x, scale], {
    attributes: { axis: int(axis), epsilon: float(epsilon) },
  })[0]!

/** input + skip + bias: what is normalized, and the fourth output. */
const sum = (call: Composite, biasIndex: number): Value => {
  const { g } = call
  const total = g.add(call.input(0, "input"), call.input(1, "skip"))
  const bias = call.optional(biasIndex)
  return bias === undefined ? total : g.add(total, bias)
}

/** LayerNormalization(input + skip + bias). */
export const skipLayerNormalization: Decomposition = (call) => {
  call.refuseForm({}, { mean: 1, inv_std_var: 2 })
  const total = sum(call, 4)
  return [layerNormalization(call, total, call.input(2, "gamma"), call.optional(3)), undefined, undefined, total]
}

/** SimplifiedLayerNormalization(input + skip + bias). */
export const skipSimplifiedLayerNormalization: Decomposition = (call) => {
  call.refuseForm({}, { mean: 1, inv_std_var: 2 })
  const total = sum(call, 3)
  const y = rmsNormalization(call, total, call.input(2, "gamma"), call.float("epsilon", 1e-12))
  return [y, undefined, undefined, total]
}

/** RMSNormalization-23. Its scale may have fewer axes than are normalized; ONNX Runtime's operator wants all of them. */
export const rmsNormalization23: Decomposition = (call) => {
  const { g } = call
  const x = call.input(0, "X")
  const scale = call.input(1, "scale")
  const axis = call.int("axis", -1)
  const epsilon = call.float("epsilon", 1e-5)
  const rank = axis === -1 ? 1 : call.rank(x, "X") - (axis < 0 ? axis + call.rank(x, "X") : axis)
  const fits = x.type === "float32" && scale.dims?.length === rank && !scale.dims?.includes(1)
  if (fits) return [rmsNormalization(call, x, scale, epsilon, axis)]
  const wide = g.cast(x, "float32")
  const axes = Array.from({ length: rank }, (_, index) => index - rank)
  const mean = g.reduceMean(g.mul(wide, wide), axes)
  const normal = g.div(wide, g.sqrt(g.add(mean, g.scalar(epsilon))))
  return [g.mul(g.cast(normal, x.type ?? "float32"), scale)]
}

/**
 * Sum of word, position and segment embeddings, normalized; the number of tokens that the mask keeps; the sum.
 * Positions count from 0 where none are given.
 */
export const embedLayerNormalization: Decomposition = (call) => {
  const { g } = call
  const ids = call.input(0, "input_ids")
  const segments = call.optional(1)
  const positionTable = call.input(3, "position_embedding")
  const segmentTable = call.optional(4)
  const mask = call.optional(7)
  const given = call.optional(8)
  const words = g.gather(call.input(2, "word_embedding"), ids)
  const positions = given ?? countFrom(call, 0, lengthOf(call, ids, 1))
  const placed = g.add(words, g.gather(positionTable, positions))
  const total =
    segments === undefined || segmentTable === undefined ? placed : g.add(placed, g.gather(segmentTable, segments))
  const normal = layerNormalization(call, total, call.input(5, "gamma"), call.input(6, "beta"))
  // Where there is no mask, ONNX Runtime gives zeros
  const kept = mask === undefined ? g.mul(g.cast(ids, "int32"), g.cast(g.scalar(0), "int32")) : g.cast(mask, "int32")
  return [normal, call.reads(1) ? g.reduceSum(kept, [1], false) : undefined, total]
}
