import { elementCount, type GraphBuilder, staticDims, type Value } from "@tandem/onnx"
import type { Shaped } from "../Rule.ts"
import { integersLike, zerosLike } from "./constants.ts"

/** Tables of at most this many rows take their gradient as a product with a matrix of ones and zeros. */
const smallTable = 1024

/** Row numbers as `[count, 1]`, negative ones counted from the end. */
export const rowNumbers = (g: GraphBuilder, at: Shaped, size: number): Value => {
  const wide = g.cast(at, "int64")
  const zero = integersLike(g, wide, [], [0])
  const positive = g.where(g.less(wide, zero), g.add(wide, integersLike(g, wide, [], [size])), wide)
  return g.reshape(positive, [elementCount(at.dims), 1])
}

/** Rows to be summed by the place of a table that each goes to. */
export interface RowSum {
  /** Number of rows of the table. */
  readonly size: number
  /** Shape of a row. */
  readonly rest: readonly number[]
  /** The row that each update goes to, `[count, 1]`. */
  readonly rows: Value
  /** `[count, …rest]` */
  readonly updates: Value
  /** `[size, …rest]`, what the sum starts with; zeros where absent. */
  readonly start: Value | undefined
}

/**
 * The sum of updates by row, `[size, …rest]`. The order of the additions must not depend on threads, as it does in
 * ONNX Runtime's ScatterND under `add`, or a run would not be repeatable.
 */
export const addRows = (g: GraphBuilder, { size, rest, rows, updates, start }: RowSum): Value => {
  const count = staticDims(updates.dims)?.[0] ?? 0
  if (size > smallTable) {
    const spreadRows = g.expand(g.reshape(rows, [count, ...rest.map(() => 1)]), [count, ...rest])
    return g.scatterElementsAdd(start ?? zerosLike(g, updates, [size, ...rest]), spreadRows, updates, 0)
  }
  const width = elementCount(rest)
  const chosen = g.cast(
    g.equal(rows, integersLike(g, rows, [size], [...Array(size).keys()])),
    updates.type ?? "float32",
  )
  const c = start === undefined ? {} : { c: g.reshape(start, [size, width]) }
  return g.reshape(g.gemm(chosen, g.reshape(updates, [count, width]), { transA: true, ...c }), [size, ...rest])
}

/** Axes of a value of this rank with one of them moved to the front, and the way back. */
export const toFront = (axis: number, rank: number): readonly [readonly number[], readonly number[]] => {
  const all = Array.from({ length: rank }, (_, index) => index)
  const front = [axis, ...all.filter((index) => index !== axis)]
  return [front, all.map((index) => front.indexOf(index))]
}
