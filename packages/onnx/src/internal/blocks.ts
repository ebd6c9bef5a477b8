/** Numbers of `bits` bits each, packed in bytes from the low end, rows padded to whole bytes. */
export const unpackBits = (bytes: Uint8Array, bits: number, rows: number, columns: number): Uint8Array => {
  const perByte = 8 / bits
  const stride = Math.ceil(columns / perByte)
  const mask = 2 ** bits - 1
  const result = new Uint8Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const byte = bytes[row * stride + Math.floor(column / perByte)]!
      result[row * columns + column] = (byte >> (bits * (column % perByte))) & mask
    }
  }
  return result
}

/** The inverse of `unpackBits`. */
export const packBits = (numbers: Uint8Array, bits: number, rows: number, columns: number): Uint8Array => {
  if (bits === 8) return numbers
  const perByte = 8 / bits
  const stride = Math.ceil(columns / perByte)
  const result = new Uint8Array(rows * stride)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      result[row * stride + Math.floor(column / perByte)]! |=
        numbers[row * columns + column]! << (bits * (column % perByte))
    }
  }
  return result
}

/** What the blocks of a weight stand for. */
export interface Blocks {
  readonly rows: number
  readonly columns: number
  readonly blockSize: number
  /** One number for each weight, rows `stride` apart. */
  readonly codes: ArrayLike<number>
  readonly stride: number
  readonly scales: ArrayLike<number>
  readonly zeros: ArrayLike<number>
  readonly transposed: boolean
}

/** (code − zero point) · scale `[rows, columns]`, block by block along the rows; transposed if asked. */
export const dequantized = (blocks: Blocks): Float32Array<ArrayBuffer> => {
  const { rows, columns, blockSize, codes, stride, scales, zeros, transposed } = blocks
  const perRow = Math.ceil(columns / blockSize)
  const result = new Float32Array(rows * columns)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const block = row * perRow + Math.floor(column / blockSize)
      const value = (codes[row * stride + column]! - zeros[block]!) * scales[block]!
      result[transposed ? column * rows + row : row * columns + column] = value
    }
  }
  return result
}
