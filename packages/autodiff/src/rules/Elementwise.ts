import type { Value } from "@tandem/onnx"
import { numbersLike, scalarLike } from "../internal/constants.ts"
import { type Gradient, type Rule, type RuleTable, stop } from "../Rule.ts"

const truth = stop("a truth value has no gradient")
const comparison: RuleTable[string] = [{ since: 1, inputs: { A: truth, B: truth } }]

/** max, min: the gradient goes to the operand that was chosen; ties go to the first. */
const chosen =
  (first: "greaterOrEqual" | "lessOrEqual"): Gradient =>
  ({ g, operands, dY }, index) => {
    const self = operands[index]!
    const zero = scalarLike(g, dY, 0)
    return operands.reduce<Value>((sum, other, at) => {
      if (at === index) return sum
      const wins = at > index ? g[first](self, other) : g[first === "greaterOrEqual" ? "greater" : "less"](self, other)
      return g.where(wins, sum, zero)
    }, dY)
  }

/** d(xᵖ)/dx = p·xᵖ⁻¹, and 0 for p = 0 wherever x is. */
const powerByBase: Gradient = ({ g, in: { X, Y }, dY }) => {
  const exponent = g.constantOf(Y)
  const power = exponent?.data.length === 1 ? Number(exponent.data[0]) : undefined
  if (power === 1) return dY
  if (power === 2) return g.mul(dY, g.mul(X!, scalarLike(g, dY, 2)))
  if (power === 0) return g.mul(dY, scalarLike(g, dY, 0))
  if (power !== undefined) {
    return g.mul(dY, g.mul(g.pow(X!, scalarLike(g, dY, power - 1)), scalarLike(g, dY, power)))
  }
  const p = g.cast(Y!, dY.type ?? "float32")
  const zero = scalarLike(g, dY, 0)
  const slope = g.mul(p, g.pow(X!, g.sub(p, scalarLike(g, dY, 1))))
  return g.mul(dY, g.where(g.equal(p, zero), zero, slope))
}

/** d(xᵖ)/dp = y·ln x, taken as 0 at x = 0. */
const powerByExponent: Gradient = ({ g, in: { X, Y }, out: [y], dY }) => {
  const zero = scalarLike(g, dY, 0)
  const isZero = g.equal(X!, zero)
  const slope = g.where(isZero, zero, g.mul(y!, g.log(g.where(isZero, scalarLike(g, dY, 1), X!))))
  return g.cast(g.mul(dY, slope), Y!.type ?? "float32")
}

/** Where the operand lies beyond a bound, the bound is the result and takes the gradient. */
const clipBound =
  (bound: "min" | "max", beyond: "less" | "greater"): Gradient =>
  ({ g, in: inputs, dY }) =>
    g.where(g[beyond](inputs["input"]!, inputs[bound]!), dY, scalarLike(g, dY, 0))

/**
 * What a mask leaves of a value, with a 0 of another rank: an equal node, but not the same. What is masked is mostly kept
 * anyway (a softmax's result) or cheap itself, and then the masked value need not be kept beside it.
 */
const maskedAgain: Rule["again"] = ({ g, operands: [condition, x, y], onPath }) => {
  const zero = g.constantOf(y)
  const isZero = zero?.dims.length === 0 && zero.data[0] === 0
  return isZero && onPath(1) && condition!.dims.length > 0
    ? g.where(condition!, x!, numbersLike(g, x!, [1], [0]))
    : undefined
}

/** Gradients of operators of several operands, element by element. Formulas write y for the result, dy for its gradient. */
export const elementwiseRules: RuleTable = {
  Add: [{ since: 1, inputs: { A: ({ dY }) => dY, B: ({ dY }) => dY } }],
  Sub: [{ since: 1, inputs: { A: ({ dY }) => dY, B: ({ g, dY }) => g.neg(dY) } }],
  Mul: [
    {
      since: 1,
      inputs: { A: ({ g, in: { B }, dY }) => g.mul(dY, B!), B: ({ g, in: { A }, dY }) => g.mul(dY, A!) },
      // Both factors are kept for each other's gradient; in this order the product is not the same node.
      again: ({ g, operands: [a, b], onPath }) => (onPath(0) && onPath(1) ? g.mul(b!, a!) : undefined),
    },
  ],
  // d(a/b)/db = −y/b
  Div: [
    {
      since: 1,
      inputs: {
        A: ({ g, in: { B }, dY }) => g.div(dY, B!),
        B: ({ g, in: { B }, out, dY }) => g.neg(g.mul(dY, g.div(out[0]!, B!))),
      },
    },
  ],
  // y = a − b·q with a whole number q, so dy/db = −q = (y − a)/b
  Mod: [
    {
      since: 10,
      inputs: {
        A: ({ dY }) => dY,
        B: ({ g, in: { A, B }, out: [y], dY }) => g.mul(dY, g.div(g.sub(y!, A!), B!)),
      },
    },
  ],
  Pow: [{ since: 1, inputs: { X: powerByBase, Y: powerByExponent } }],
  Max: [{ since: 8, variadic: true, inputs: { data_0: chosen("greaterOrEqual") } }],
  Min: [{ since: 8, variadic: true, inputs: { data_0: chosen("lessOrEqual") } }],
  Sum: [{ since: 8, variadic: true, inputs: { data_0: ({ dY }) => dY } }],
  Mean: [
    {
      since: 8,
      variadic: true,
      inputs: { data_0: ({ g, operands, dY }) => g.mul(dY, scalarLike(g, dY, 1 / operands.length)) },
    },
  ],
  // Inside the bounds, the bounds included, the gradient passes
  Clip: [
    {
      since: 11,
      inputs: {
        input: ({ g, in: { input, min, max }, dY }) => {
          const zero = scalarLike(g, dY, 0)
          const low = min === undefined ? dY : g.where(g.greaterOrEqual(input!, min), dY, zero)
          return max === undefined ? low : g.where(g.lessOrEqual(input!, max), low, zero)
        },
        min: clipBound("min", "less"),
        max: clipBound("max", "greater"),
      },
    },
  ],
  Where: [
    {
      since: 9,
      inputs: {
        condition: truth,
        X: ({ g, in: { condition }, dY }) => g.where(condition!, dY, scalarLike(g, dY, 0)),
        Y: ({ g, in: { condition }, dY }) => g.where(condition!, scalarLike(g, dY, 0), dY),
      },
      again: maskedAgain,
    },
  ],
  Cast: [{ since: 1, inputs: { input: ({ g, in: { input }, dY }) => g.cast(dY, input!.type ?? "float32") } }],
  CastLike: [
    {
      since: 15,
      inputs: {
        input: ({ g, in: { input }, dY }) => g.cast(dY, input!.type ?? "float32"),
        target_type: stop("only the type of this operand counts"),
      },
    },
  ],
  Equal: comparison,
  Greater: comparison,
  GreaterOrEqual: comparison,
  Less: comparison,
  LessOrEqual: comparison,
  IsNaN: [{ since: 9, inputs: { X: truth } }],
  IsInf: [{ since: 10, inputs: { X: truth } }],
}
