import type { Tensor } from "@tandem/onnx"
import { type Cases, nonzero, positive, spread, unary } from "./Values.ts"

const inside = (): Tensor => spread([2, 3], -0.9, 0.9)

export const functionCases: Cases = {
  Neg: unary(spread([2, 3])),
  Identity: unary(spread([2, 3])),
  Abs: unary(nonzero([4, 3])),
  Reciprocal: unary(nonzero([2, 3])),
  Sqrt: unary(positive([2, 3])),
  Exp: unary(spread([2, 3])),
  Log: unary(positive([2, 3])),
  Erf: unary(spread([2, 3])),
  Sin: unary(spread([2, 3])),
  Cos: unary(spread([2, 3])),
  Tan: unary(spread([2, 3], -1, 1.1)),
  Asin: unary(inside()),
  Acos: unary(inside()),
  Atan: unary(spread([2, 3])),
  Sinh: unary(spread([2, 3])),
  Cosh: unary(spread([2, 3])),
  Tanh: unary(spread([2, 3])),
  Asinh: unary(spread([2, 3])),
  Acosh: unary(spread([2, 3], 1.2, 3)),
  Atanh: unary(inside()),
}
