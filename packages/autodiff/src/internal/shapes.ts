import { elementCount, type GraphBuilder, toNumbers, type Value } from "@tandem/onnx"
import { NotDifferentiable } from "../Errors.ts"
import type { RuleContext, Shaped } from "../Rule.ts"
import { numbersLike, scalarLike } from "./constants.ts"

/** Counts a negative axis from the end. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis)

export const sameDims = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, index) => dim === b[index])

/** Whether a value of shape `dims` can have been broadcast to `to`. */
export const broadcastsTo = (dims: readonly number[], to: readonly number[]): boolean =>
  Array.from({ length: Math.max(dims.length, to.length) }, (_, back) => dims.at(-1 - back) ?? 1).every(
    (dim, back) => dim === 1 || dim === (to.at(-1 - back) ?? 1),
  )

/** Sums a value over the axes along which `dims` was broadcast to `from`. */
export const sumTo = (g: GraphBuilder, value: Value, from: readonly number[], dims: readonly number[]): Value => {
  if (sameDims(from, dims)) return value
  const leading = from.length - dims.length
  const axes = [...from.keys()].filter((axis) => axis < leading || (dims[axis - leading] === 1 && from[axis] !== 1))
  const summed = axes.length === 0 ? value : sumAxes(g, value, from, axes)
  return g.reshape(summed, dims)
}

/** Sums over axes; leading ones as one. */
const sumAxes = (g: GraphBuilder, value: Value, from: readonly number[], axes: readonly number[]): Value => {
  const leading = value.type === "float32" && axes.every((axis, index) => axis === index)
  if (!leading || axes.length === from.length) return g.reduceSum(value, axes, false)
  const rows = elementCount(from.slice(0, axes.length))
  const columns = elementCount(from.slice(axes.length))
  return sumRows(g, g.reshape(value, [rows, columns]), rows)
}

/** The sum of a matrix' rows, `[1, columns]`: a product with a row of ones, which providers run faster than a reduction. */
export const sumRows = (g: GraphBuilder, matrix: Value, rows: number): Value =>
  g.gemm(rows > mostWritten ? g.expand(scalarLike(g, matrix, 1), [1, rows]) : ones(g, matrix, rows), matrix)

const ones = (g: GraphBuilder, like: Value, rows: number): Value =>
  numbersLike(g, like, [1, rows], Array<number>(rows).fill(1))

/** Ones that are written out; any more are made when the graph runs, and take no memory until then. */
const mostWritten = 2 ** 22

/** Swaps the last two axes. */
export const swapLast = (g: GraphBuilder, value: Shaped): Value => {
  const rank = value.dims.length
  return g.transpose(value, [...Array(rank - 2).keys(), rank - 1, rank - 2])
}

/** `dims` with the axes of a reduction kept as 1. */
export const keptDims = (dims: readonly number[], axes: readonly number[]): number[] =>
  dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim))

/** The numbers of a constant operand; undefined where it is absent. One that is computed is refused, never guessed. */
export const constantNumbers = ({ g, node, in: inputs }: RuleContext, name: string): readonly number[] | undefined => {
  const operand = inputs[name]
  if (operand === undefined) return undefined
  const constant = g.constantOf(operand)
  if (constant === undefined) {
    throw new NotDifferentiable({
      message: `${node.op} can be differentiated only where its operand ${name} is a constant`,
      op: node.op,
      node: node.name,
      input: name,
      hint: "specialize the graph first",
    })
  }
  return toNumbers(constant)
}
