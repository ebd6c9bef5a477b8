/**
 * Scores of a block of queries against a block of rows, in plain loops over typed arrays.
 *
 * Every pair has one double-precision accumulator that runs over the dimensions in order, whatever tile it falls into:
 * a score does not depend on what else is searched with it, bit for bit.
 */
export interface Block {
  /** `[queries, dimension]` f64: converted once, so that only rows are converted in the inner loop. */
  readonly queries: Float64Array
  readonly queryCount: number
  readonly rows: Float32Array
  readonly rowStart: number
  readonly rowCount: number
  readonly dimension: number
  /** `[queryCount, rowCount]` f64, written. */
  readonly out: Float64Array
}

/** `out[q, r] = queries[q] · rows[rowStart + r]` in tiles of 4 queries × 2 rows, which just fit the registers. */
export const innerProducts = (block: Block): void => {
  const { queries, queryCount, rows, rowStart, rowCount, dimension, out } = block
  const tiledQueries = queryCount - (queryCount % 4)
  const tiledRows = rowCount - (rowCount % 2)
  for (let q = 0; q < tiledQueries; q += 4) {
    const q0 = q * dimension
    const q1 = q0 + dimension
    const q2 = q1 + dimension
    const q3 = q2 + dimension
    for (let r = 0; r < tiledRows; r += 2) {
      const r0 = (rowStart + r) * dimension
      const r1 = r0 + dimension
      let s00 = 0
      let s01 = 0
      let s10 = 0
      let s11 = 0
      let s20 = 0
      let s21 = 0
      let s30 = 0
      let s31 = 0
      for (let d = 0; d < dimension; d++) {
        const a = rows[r0 + d]!
        const b = rows[r1 + d]!
        const w = queries[q0 + d]!
        s00 += w * a
        s01 += w * b
        const x = queries[q1 + d]!
        s10 += x * a
        s11 += x * b
        const y = queries[q2 + d]!
        s20 += y * a
        s21 += y * b
        const z = queries[q3 + d]!
        s30 += z * a
        s31 += z * b
      }
      const o = q * rowCount + r
      out[o] = s00
      out[o + 1] = s01
      out[o + rowCount] = s10
      out[o + rowCount + 1] = s11
      out[o + 2 * rowCount] = s20
      out[o + 2 * rowCount + 1] = s21
      out[o + 3 * rowCount] = s30
      out[o + 3 * rowCount + 1] = s31
    }
  }
  for (let q = 0; q < queryCount; q++)
    for (let r = q < tiledQueries ? tiledRows : 0; r < rowCount; r++)
      out[q * rowCount + r] = innerProduct(queries, q * dimension, rows, (rowStart + r) * dimension, dimension)
}

/** One pair, with the same rounding as the tiles. */
export const innerProduct = (
  query: Float64Array,
  queryOffset: number,
  rows: Float32Array,
  rowOffset: number,
  dimension: number,
): number => {
  let sum = 0
  for (let d = 0; d < dimension; d++) sum += query[queryOffset + d]! * rows[rowOffset + d]!
  return sum
}

/** One pair: `−|q − p|²`, from the differences, which loses no digits where both are close. */
export const negativeSquaredDistance = (
  query: Float64Array,
  queryOffset: number,
  rows: Float32Array,
  rowOffset: number,
  dimension: number,
): number => {
  let sum = 0
  for (let d = 0; d < dimension; d++) {
    const difference = query[queryOffset + d]! - rows[rowOffset + d]!
    sum -= difference * difference
  }
  return sum
}

/** `out[q, r] = −|queries[q] − rows[rowStart + r]|²` in tiles of 2 queries × 2 rows. */
export const negativeSquaredDistances = (block: Block): void => {
  const { queries, queryCount, rows, rowStart, rowCount, dimension, out } = block
  const tiledQueries = queryCount - (queryCount % 2)
  const tiledRows = rowCount - (rowCount % 2)
  for (let q = 0; q < tiledQueries; q += 2) {
    const q0 = q * dimension
    const q1 = q0 + dimension
    for (let r = 0; r < tiledRows; r += 2) {
      const r0 = (rowStart + r) * dimension
      const r1 = r0 + dimension
      let s00 = 0
      let s01 = 0
      let s10 = 0
      let s11 = 0
      for (let d = 0; d < dimension; d++) {
        const a = rows[r0 + d]!
        const b = rows[r1 + d]!
        const x = queries[q0 + d]!
        const y = queries[q1 + d]!
        s00 -= (x - a) * (x - a)
        s01 -= (x - b) * (x - b)
        s10 -= (y - a) * (y - a)
        s11 -= (y - b) * (y - b)
      }
      const o = q * rowCount + r
      out[o] = s00
      out[o + 1] = s01
      out[o + rowCount] = s10
      out[o + rowCount + 1] = s11
    }
  }
  for (let q = 0; q < queryCount; q++)
    for (let r = q < tiledQueries ? tiledRows : 0; r < rowCount; r++)
      out[q * rowCount + r] = negativeSquaredDistance(
        queries,
        q * dimension,
        rows,
        (rowStart + r) * dimension,
        dimension,
      )
}

/** `1 / |row|` of the rows from `start` to `end`. */
export const inverseNorms = (rows: Float32Array, dimension: number, start: number, end: number): Float64Array =>
  Float64Array.from({ length: end - start }, (_, index) => {
    let sum = 0
    for (let i = (start + index) * dimension; i < (start + index + 1) * dimension; i++) sum += rows[i]! * rows[i]!
    return 1 / Math.sqrt(sum)
  })
