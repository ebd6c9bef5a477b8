import type { GraphBuilder, Value } from "@tandem/onnx"
import { scalarLike } from "../internal/constants.ts"
import { type Gradient, type RuleTable, type Shaped, stop } from "../Rule.ts"

/** dx = dy · f′(x), with f′ built from the operand or the result. */
const by = (formal: string, derivative: Gradient): RuleTable[string] => [{ since: 1, inputs: { [formal]: derivative } }]

interface Point {
  readonly g: GraphBuilder
  readonly x: Shaped
  /** f(x) */
  readonly y: Shaped
  /** A number of x's type. */
  readonly n: (value: number) => Value
}

/** dx = dy · f′ */
const slope = (formal: string, derivative: (point: Point) => Value): RuleTable[string] =>
  by(formal, ({ g, operands: [x], out: [y], dY }) =>
    g.mul(dY, derivative({ g, x: x!, y: y!, n: (value) => scalarLike(g, dY, value) })),
  )

/** dx = dy / d */
const quotient = (formal: string, denominator: (point: Point) => Value): RuleTable[string] =>
  by(formal, ({ g, operands: [x], out: [y], dY }) =>
    g.div(dY, denominator({ g, x: x!, y: y!, n: (value) => scalarLike(g, dY, value) })),
  )

const flat = (formal: string): RuleTable[string] => [
  { since: 1, inputs: { [formal]: stop("the derivative is zero almost everywhere") } },
]

/** 1 − v² */
const oneLessSquare = ({ g, n }: Point, v: Value): Value => g.sub(n(1), g.mul(v, v))
/** v² + c */
const squarePlus = ({ g, n }: Point, v: Value, c: number): Value => g.add(g.mul(v, v), n(c))

/** Gradients of functions of one number, element by element; y is f(x). */
export const functionRules: RuleTable = {
  Neg: by("X", ({ g, dY }) => g.neg(dY)),
  Identity: by("input", ({ dY }) => dY),
  Abs: slope("X", ({ g, x }) => g.sign(x)),
  Reciprocal: by("X", ({ g, out: [y], dY }) => g.neg(g.mul(dY, g.mul(y!, y!)))),
  Sqrt: by("X", ({ g, out: [y], dY }) => g.div(g.mul(dY, scalarLike(g, dY, 0.5)), y!)),
  Exp: slope("input", ({ y }) => y),
  Log: quotient("input", ({ x }) => x),
  // d erf(x)/dx = 2/√π · exp(−x²)
  Erf: slope("input", ({ g, x, n }) => g.exp(g.sub(n(Math.log(2 / Math.sqrt(Math.PI))), g.mul(x, x)))),
  Sin: slope("input", ({ g, x }) => g.cos(x)),
  Cos: by("input", ({ g, operands: [x], dY }) => g.neg(g.mul(dY, g.sin(x!)))),
  // 1 + y²
  Tan: slope("input", (at) => squarePlus(at, at.y, 1)),
  // 1/√(1 − x²)
  Asin: quotient("input", (at) => at.g.sqrt(oneLessSquare(at, at.x))),
  Acos: by("input", ({ g, operands: [x], dY }) => g.neg(g.div(dY, g.sqrt(g.sub(scalarLike(g, dY, 1), g.mul(x!, x!)))))),
  // 1/(1 + x²)
  Atan: quotient("input", (at) => squarePlus(at, at.x, 1)),
  Sinh: slope("input", ({ g, x }) => g.op("Cosh", [x])[0]!),
  Cosh: slope("input", ({ g, x }) => g.op("Sinh", [x])[0]!),
  Tanh: slope("input", (at) => oneLessSquare(at, at.y)),
  // 1/√(x² + 1), 1/√(x² − 1), 1/(1 − x²)
  Asinh: quotient("input", (at) => at.g.sqrt(squarePlus(at, at.x, 1))),
  Acosh: quotient("input", (at) => at.g.sqrt(squarePlus(at, at.x, -1))),
  Atanh: quotient("input", (at) => oneLessSquare(at, at.x)),
  Floor: flat("X"),
  Ceil: flat("X"),
  Round: flat("X"),
  Sign: flat("input"),
}
