import { float32, type GraphBuilder, int64, type Tensor, type Value } from "@tandem/onnx"

/** A rank-0 constant of the type of `like`. */
export const scalarLike = (g: GraphBuilder, like: Value, value: number): Value => {
  if (like.type === "float64") return g.constant({ type: "float64", dims: [], data: Float64Array.of(value) })
  return g.cast(g.scalar(value), like.type ?? "float32")
}

/** A constant of the type of `like` from numbers. */
export const numbersLike = (g: GraphBuilder, like: Value, dims: readonly number[], values: readonly number[]): Value =>
  like.type === "float64"
    ? g.constant({ type: "float64", dims, data: Float64Array.from(values) })
    : g.cast(g.constant(float32(dims, values)), like.type ?? "float32")

/** A constant of whole numbers of the type that `like` has, 32 or 64 bits. */
export const integersLike = (
  g: GraphBuilder,
  like: Value,
  dims: readonly number[],
  values: readonly number[],
): Value => {
  const tensor: Tensor =
    like.type === "int32" ? { type: "int32", dims, data: Int32Array.from(values) } : int64(dims, values)
  return g.constant(tensor)
}

/** Zeros of the type of `like`. */
export const zerosLike = (g: GraphBuilder, like: Value, dims: readonly number[]): Value =>
  g.zeros(like.type === undefined || like.type === "string" ? "float32" : like.type, dims)
