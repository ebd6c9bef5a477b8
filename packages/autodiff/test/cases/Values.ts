import { type Attribute, elementCount, float32, int64, type Tensor, toNumbers } from "@tandem/onnx"
import type { VjpCase } from "../../src/testing.ts"

/** A case of the operator under whose key it stands. */
export type Case = Omit<VjpCase, "op" | "domain">
export type Cases = Readonly<Record<string, readonly Case[]>>

/**
 * Equally spaced numbers in random order: no two are close, so that an extremum is clear, and with bounds of opposite
 * sign none is close to 0.
 */
export const spread = (dims: readonly number[], low = -1.5, high = 1.7, seed = 1): Tensor => {
  const count = elementCount(dims)
  const values = Array.from({ length: count }, (_, index) => low + ((high - low) * (index + 0.37)) / count)
  let state = seed * 7919 + 12345
  for (let index = count - 1; index > 0; index--) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    const other = (state >>> 8) % (index + 1)
    const value = values[index]!
    values[index] = values[other]!
    values[other] = value
  }
  return float32(dims, values)
}

/** Numbers between 0.4 and 2. */
export const positive = (dims: readonly number[], seed = 1): Tensor => spread(dims, 0.4, 2, seed)

/** Numbers whose size is at least 0.4, of both signs. */
export const nonzero = (dims: readonly number[], seed = 1): Tensor => {
  const sizes = positive(dims, seed)
  return float32(
    dims,
    toNumbers(sizes).map((value, index) => value * (index % 3 === 1 ? -1 : 1)),
  )
}

export const truths = (dims: readonly number[], seed = 1): Tensor => ({
  type: "bool",
  dims,
  data: Uint8Array.from(toNumbers(spread(dims, -1, 1, seed)), (value) => (value > 0 ? 1 : 0)),
})

/** A function of one operand, at a matrix and at a scalar. */
export const unary = (x: Tensor): readonly Case[] => [
  { name: "matrix", inputs: [x], wrt: [0] },
  { name: "rank 0", inputs: [{ ...x, dims: [], data: x.data.slice(0, 1) }], wrt: [0] },
]

export const numbers = (...values: readonly number[]): Tensor => int64([values.length], values)
export const number = (value: number): Tensor => int64([], [value])
export const scalar = (value: number): Tensor => float32([], [value])

export const int = (value: number): Attribute => ({ kind: "int", value })
export const ints = (...value: readonly number[]): Attribute => ({ kind: "ints", value })
export const real = (value: number): Attribute => ({ kind: "float", value })
