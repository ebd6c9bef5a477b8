import { float32, int64, type Tensor } from "@tandem/onnx"
import { type Case, type Cases, int, nonzero, positive, scalar, spread, truths } from "./Values.ts"

/** Both operands, in every direction in which one can be broadcast. */
const binary = (make: (dims: readonly number[], seed: number) => Tensor): readonly Case[] =>
  (
    [
      ["same shape", [2, 3], [2, 3]],
      ["B lacks an axis", [2, 3], [3]],
      ["A lacks an axis", [3], [2, 3]],
      ["B is a scalar", [2, 3], []],
      ["A is a scalar", [], [2, 3]],
      ["B has an axis of 1", [2, 3, 4], [2, 1, 4]],
      ["A has axes of 1", [1, 3, 1], [2, 3, 4]],
      ["each is broadcast", [2, 1, 4], [3, 1]],
      ["axes of 1 stay", [1, 3], [1, 1]],
      ["first and last axis", [5, 3, 2], [3, 1]],
    ] as const
  ).map(([name, a, b]) => ({ name, inputs: [make(a, 1), make(b, 2)], wrt: [0, 1] }))

const variadic: readonly Case[] = [
  { name: "one operand", inputs: [spread([2, 3])], wrt: [0] },
  { name: "two", inputs: [spread([2, 3], -1.5, 1.7, 1), spread([2, 3], -1.6, 1.4, 2)], wrt: [0, 1] },
  {
    name: "three, broadcast",
    inputs: [spread([4, 3], -1.5, 1.7, 1), spread([3], -0.9, 1, 2), spread([4, 1], -0.4, 0.8, 3)],
    wrt: [0, 1, 2],
  },
  { name: "a scalar bound", inputs: [spread([2, 5]), scalar(0.02)], wrt: [0, 1] },
]

export const elementwiseCases: Cases = {
  Add: binary(spreadBy),
  Sub: binary(spreadBy),
  Mul: binary(spreadBy),
  Div: binary((dims, seed) => nonzero(dims, seed)),
  Pow: [
    ...binary((dims, seed) => positive(dims, seed)),
    { name: "square", inputs: [spread([2, 3]), scalar(2)], wrt: [0] },
    { name: "square, the exponent of a higher rank", inputs: [spread([3]), float32([1, 1], [2])], wrt: [0] },
    { name: "first power", inputs: [spread([2, 3]), scalar(1)], wrt: [0] },
    { name: "cube of both signs", inputs: [nonzero([2, 3]), scalar(3)], wrt: [0] },
    { name: "root", inputs: [positive([2, 3]), scalar(0.5)], wrt: [0] },
    { name: "negative power", inputs: [nonzero([2, 3]), scalar(-2)], wrt: [0] },
    { name: "whole exponents", inputs: [nonzero([2, 3]), int64([3], [2, 3, 1])], wrt: [0] },
    { name: "zeroth power", inputs: [nonzero([2, 3]), float32([3], [0, 2, 1])], wrt: [0] },
    { name: "exponent of a constant base", inputs: [scalar(3), spread([2, 3])], wrt: [1] },
    { name: "a base of 0 under exponents", inputs: [float32([3], [0, 0.5, 2]), positive([3])], wrt: [1] },
  ],
  Mod: [
    ...(
      [
        ["same shape", [2, 3], [2, 3]],
        ["a divisor for all", [2, 3], []],
        ["divisors by row", [3], [2, 1]],
      ] as const
    ).map(([name, a, b]) => ({
      name,
      inputs: [spread(a, -4.1, 4.3), spread(b, 0.9, 1.4, 2)],
      attributes: { fmod: int(1) },
      wrt: [0, 1],
    })),
  ],
  Clip: [
    { name: "both bounds", inputs: [nonzero([4, 5]), scalar(-0.3), scalar(0.7)], wrt: [0, 1, 2] },
    { name: "lower bound", inputs: [nonzero([4, 5]), scalar(-0.3)], wrt: [0, 1] },
    { name: "upper bound", inputs: [nonzero([4, 5]), undefined, scalar(0.7)], wrt: [0, 2] },
    { name: "no bound", inputs: [nonzero([2, 3])], wrt: [0] },
  ],
  Max: variadic,
  Min: variadic,
  Sum: variadic,
  Mean: variadic,
  Where: [
    { name: "same shape", inputs: [truths([2, 3]), spread([2, 3]), spread([2, 3], -1, 1, 2)], wrt: [1, 2] },
    { name: "condition broadcast", inputs: [truths([3]), spread([2, 3]), spread([2, 3], -1, 1, 2)], wrt: [1, 2] },
    { name: "condition broadcasts both", inputs: [truths([2, 3]), scalar(0.5), spread([3])], wrt: [1, 2] },
    { name: "each is broadcast", inputs: [truths([2, 1, 1]), spread([3, 1]), spread([1, 4])], wrt: [1, 2] },
  ],
  Cast: [
    { name: "to 64 bits", inputs: [spread([2, 3])], attributes: { to: int(11) }, wrt: [0] },
    {
      name: "from 64 bits",
      inputs: [float64(0.5, -1, 2)],
      attributes: { to: int(1) },
      wrt: [0],
    },
    { name: "to itself", inputs: [spread([2, 3])], attributes: { to: int(1) }, wrt: [0] },
  ],
  CastLike: [
    { name: "to 32 bits", inputs: [float64(0.5, -1, 2), scalar(1)], wrt: [0] },
    { name: "to 64 bits", inputs: [spread([2, 3]), float64(1)], wrt: [0] },
  ],
}

function float64(...values: readonly number[]): Tensor {
  return { type: "float64", dims: [values.length], data: Float64Array.from(values) }
}

function spreadBy(dims: readonly number[], seed: number): Tensor {
  return spread(dims, -1.5, 1.7, seed)
}
