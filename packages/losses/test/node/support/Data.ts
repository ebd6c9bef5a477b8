import { float32, type Tensor, toNumbers } from "@tandem/onnx"
import type { Matrix } from "./Run.ts"

/** Numbers around 0 that look random and are the same each time. */
export const noise = (count: number, seed: number): readonly number[] =>
  Array.from({ length: count }, (_, at) => {
    const x = Math.sin((at + 1) * 12.9898 + seed * 78.233) * 43758.5453
    return 2 * (x - Math.floor(x)) - 1
  })

export const rows = (count: number, width: number, seed: number): Matrix => {
  const values = noise(count * width, seed)
  return Array.from({ length: count }, (_, row) => values.slice(row * width, (row + 1) * width))
}

/** `tensor + factor · direction` */
export const moved = (tensor: Tensor, direction: readonly number[], factor: number): Tensor =>
  float32(
    tensor.dims,
    toNumbers(tensor).map((value, at) => value + factor * direction[at]!),
  )

export const inner = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, at) => sum + value * b[at]!, 0)
