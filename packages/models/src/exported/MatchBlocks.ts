import type { Float32Tensor } from "@tandem/onnx"

/** Where a matrix stands in a larger one. */
export interface Corner {
  readonly row: number
  readonly column: number
}

interface Matrix {
  readonly rows: number
  readonly columns: number
  readonly data: Float32Array
}

/** A tensor as a matrix whose columns are its last axis; a vector is one row. */
export const matrixOf = ({ dims, data }: Pick<Float32Tensor, "dims" | "data">): Matrix => {
  const columns = dims.at(-1) ?? 1
  return { rows: columns === 0 ? 0 : data.length / columns, columns, data }
}

/** Fewer elements than this, or values that are all equal, could stand anywhere. */
const fewest = 8

/** Where `part` stands in `whole`, value by value; undefined where it does not, or says too little to tell. */
export const findBlock = (part: Float32Tensor, whole: Float32Tensor): Corner | undefined => {
  const [inner, outer] = [matrixOf(part), matrixOf(whole)]
  if (inner.rows > outer.rows || inner.columns > outer.columns || part.data.length >= whole.data.length)
    return undefined
  const first = part.data[0]
  if (first === undefined || part.data.length < fewest || part.data.every((value) => value === first)) return undefined
  for (let row = 0; row <= outer.rows - inner.rows; row++) {
    for (let column = 0; column <= outer.columns - inner.columns; column++) {
      if (outer.data[row * outer.columns + column] === first && standsAt(inner, outer, row, column)) {
        return { row, column }
      }
    }
  }
  return undefined
}

const standsAt = (inner: Matrix, outer: Matrix, row: number, column: number): boolean => {
  for (let i = 0; i < inner.rows; i++) {
    const [from, at] = [i * inner.columns, (row + i) * outer.columns + column]
    for (let j = 0; j < inner.columns; j++) if (inner.data[from + j] !== outer.data[at + j]) return false
  }
  return true
}

/** The block of `whole` that has the shape `dims`, from a corner on. */
export const takeBlock = (whole: Float32Tensor, { row, column }: Corner, dims: readonly number[]): Float32Tensor => {
  const [outer, inner] = [matrixOf(whole), matrixOf({ dims, data: new Float32Array(dims.reduce((a, b) => a * b, 1)) })]
  for (let i = 0; i < inner.rows; i++) {
    const from = (row + i) * outer.columns + column
    inner.data.set(outer.data.subarray(from, from + inner.columns), i * inner.columns)
  }
  return { type: "float32", dims, data: inner.data }
}

/** A tensor of zeros but for `part`, which stands in it from a corner on. */
export const putBlock = (part: Float32Tensor, { row, column }: Corner, dims: readonly number[]): Float32Tensor => {
  const [inner, outer] = [matrixOf(part), matrixOf({ dims, data: new Float32Array(dims.reduce((a, b) => a * b, 1)) })]
  for (let i = 0; i < inner.rows; i++) {
    const values = inner.data.subarray(i * inner.columns, (i + 1) * inner.columns)
    outer.data.set(values, (row + i) * outer.columns + column)
  }
  return { type: "float32", dims, data: outer.data }
}
