import { type GraphBuilder, InvalidGraph, staticDims, type Value } from "@tandem/onnx"

/**
 * ln Σ exp x along an axis, which is left out of the result. The whole number below the largest is taken off first and has
 * no gradient, so that nothing overflows, not everything vanishes, and the gradient is exactly softmax(x): 0 where x is
 * `absent`.
 */
export const logSumExp = (g: GraphBuilder, x: Value, axis: number): Value => {
  const shift = g.op("Floor", [g.reduceMax(x, [axis], true)])[0]!
  return g.add(g.reduceLogSumExp(g.sub(x, shift), [axis], false), g.squeeze(shift, [axis]))
}

/** The sizes of a `float32` value that must have these axes, all of them known and none of them 0. */
export const sizesOf = (value: Value, field: string, axes: readonly string[]): readonly number[] => {
  const dims = staticDims(value.dims)
  if (value.type === "float32" && dims?.length === axes.length && dims.every((size) => size > 0)) return dims
  throw misfit(value, field, `float32[${axes.join(", ")}], all sizes known and above 0`)
}

/** Refuses a value of another type or shape. */
export const requireShape = (value: Value, field: string, types: readonly string[], dims: readonly number[]): void => {
  if (types.includes(value.type ?? "?") && `${value.dims}` === `${dims}`) return
  throw misfit(value, field, `${types.join(" or ")}[${dims}]`)
}

const misfit = ({ type, dims }: Value, field: string, expected: string): InvalidGraph =>
  new InvalidGraph({
    message: `${field} does not have the shape that the other values ask for`,
    field,
    expected,
    found: `${type ?? "?"}[${dims ?? "?"}]`,
  })

/** A mask of any type as truth values. */
export const asTruth = (g: GraphBuilder, mask: Value): Value =>
  mask.type === "bool" ? mask : g.op("Not", [g.equal(mask, g.scalar(0))])[0]!

/** The values where the mask is true, and 0 elsewhere, whatever stands there. */
export const orZero = (g: GraphBuilder, mask: Value, values: Value): Value => g.where(mask, values, g.scalar(0))

/** Counts to divide by: 1 where nothing was counted, and the sum of it is 0. */
export const orOne = (g: GraphBuilder, counts: Value): Value =>
  g.where(g.equal(counts, g.scalar(0)), g.scalar(1), counts)

export const total = (g: GraphBuilder, values: Value): Value => g.reduceSum(values, [0], false)
