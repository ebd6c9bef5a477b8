import { type Attributes, float, floatAttribute, type Node, stringAttribute, type Value } from "@tandem/onnx"
import { type Gradient, type RuleTable, stop } from "../Rule.ts"

const boolean = stop("a truth value has no gradient")

/** dx = dy · f′(x), with f′ built from the operand or the result. */
const unary = (derivative: Gradient): RuleTable[string] => [{ since: 1, inputs: { X: derivative } }]

/** max, min: the gradient goes to the operand that was chosen; ties go to the first. */
const chosen =
  (first: "greaterOrEqual" | "lessOrEqual"): Gradient =>
  ({ g, operands, dY }, index) => {
    const self = operands[index]!
    const zero = g.scalar(0)
    return operands.reduce<Value>((sum, other, at) => {
      if (at === index) return sum
      const wins = at > index ? g[first](self, other) : g[first === "greaterOrEqual" ? "greater" : "less"](self, other)
      return g.where(wins, sum, zero)
    }, dY)
  }

const isTanh = (node: Node): boolean => stringAttribute(node, "approximate", "none") === "tanh"

/** d/dx of x·Φ(x) is Φ(x) + x·φ(x); recomputed from x, so that nothing needs to be stored besides it. */
const gelu: Gradient = ({ g, node, in: { X }, dY }) => {
  const x = X!
  if (isTanh(node)) {
    // y = x/2 · (1 + tanh u), u = k·(x + c·x³); dy/dx = (1 + t)/2 + x/2 · (1 − t²) · k·(1 + 3c·x²)
    const k = Math.sqrt(2 / Math.PI)
    const square = g.mul(x, x)
    const inner = g.mul(x, g.add(g.mul(square, g.scalar(0.044715 * k)), g.scalar(k)))
    const t = g.tanh(inner)
    const slope = g.add(g.mul(square, g.scalar(3 * 0.044715 * k)), g.scalar(k))
    const tail = g.mul(g.mul(x, g.sub(g.scalar(1), g.mul(t, t))), slope)
    return g.mul(g.mul(dY, g.scalar(0.5)), g.add(g.add(t, g.scalar(1)), tail))
  }
  // With u = x/√2: dy/dx = Φ + u · exp(−ln √π − u²); Φ = (1 + erf u)/2 is HardSigmoid inside its bounds, one pass
  const u = g.mul(x, g.scalar(Math.SQRT1_2))
  const half: Attributes = { alpha: float(0.5), beta: float(0.5) }
  const cumulative = g.op("HardSigmoid", [g.erf(u)], { attributes: half })[0]!
  const density = g.mul(u, g.exp(g.sub(g.scalar(-Math.log(Math.PI) / 2), g.mul(u, u))))
  return g.mul(dY, g.add(cumulative, density))
}

/** Gradients of operators that work element by element. Formulas write y for the result and dy for its gradient. */
export const elementwiseRules: RuleTable = {
  Add: [{ since: 1, inputs: { A: ({ dY }) => dY, B: ({ dY }) => dY } }],
  Sub: [{ since: 1, inputs: { A: ({ dY }) => dY, B: ({ g, dY }) => g.neg(dY) } }],
  Mul: [
    { since: 1, inputs: { A: ({ g, in: { B }, dY }) => g.mul(dY, B!), B: ({ g, in: { A }, dY }) => g.mul(dY, A!) } },
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
  // d(xᵖ)/dx = p·xᵖ⁻¹; d(xᵖ)/dp = y·ln x, taken as 0 at x = 0
  Pow: [
    {
      since: 1,
      inputs: {
        X: ({ g, in: { X, Y }, dY }) => {
          const exponent = g.constantOf(Y)
          const power = exponent?.data.length === 1 ? Number(exponent.data[0]) : undefined
          if (power === 2) return g.mul(dY, g.mul(X!, g.scalar(2)))
          if (power === 1) return dY
          const p = Y!.type === "float32" ? Y! : g.cast(Y!, "float32")
          return g.mul(dY, g.mul(p, g.pow(X!, g.sub(p, g.scalar(1)))))
        },
        Y: ({ g, in: { X }, out, dY }) => {
          const zero = g.scalar(0)
          const isZero = g.equal(X!, zero)
          return g.mul(dY, g.where(isZero, zero, g.mul(out[0]!, g.log(g.where(isZero, g.scalar(1), X!)))))
        },
      },
    },
  ],
  Neg: unary(({ g, dY }) => g.neg(dY)),
  Identity: unary(({ dY }) => dY),
  Sqrt: unary(({ g, out, dY }) => g.div(g.mul(dY, g.scalar(0.5)), out[0]!)),
  Exp: unary(({ g, out, dY }) => g.mul(dY, out[0]!)),
  Log: unary(({ g, in: { X }, dY }) => g.div(dY, X!)),
  Reciprocal: unary(({ g, out, dY }) => g.neg(g.mul(dY, g.mul(out[0]!, out[0]!)))),
  Sin: unary(({ g, in: { X }, dY }) => g.mul(dY, g.cos(X!))),
  Cos: unary(({ g, in: { X }, dY }) => g.neg(g.mul(dY, g.sin(X!)))),
  // d erf(x)/dx = 2/√π · exp(−x²)
  Erf: unary(({ g, in: { X }, dY }) =>
    g.mul(dY, g.exp(g.sub(g.scalar(Math.log(2 / Math.sqrt(Math.PI))), g.mul(X!, X!)))),
  ),
  Tanh: unary(({ g, out, dY }) => g.mul(dY, g.sub(g.scalar(1), g.mul(out[0]!, out[0]!)))),
  Sigmoid: unary(({ g, out, dY }) => g.mul(dY, g.mul(out[0]!, g.sub(g.scalar(1), out[0]!)))),
  Relu: unary(({ g, out, dY }) => g.where(g.greater(out[0]!, g.scalar(0)), dY, g.scalar(0))),
  Abs: unary(({ g, in: { X }, dY }) => g.mul(dY, g.sign(X!))),
  // Inside the bounds, the bounds included, the gradient passes
  Clip: [
    {
      since: 11,
      inputs: {
        input: ({ g, in: { input, min, max }, dY }) => {
          const zero = g.scalar(0)
          const low = min === undefined ? dY : g.where(g.greaterOrEqual(input!, min), dY, zero)
          return max === undefined ? low : g.where(g.lessOrEqual(input!, max), low, zero)
        },
        min: stop("a bound of Clip is a setting"),
        max: stop("a bound of Clip is a setting"),
      },
    },
  ],
  Gelu: unary(gelu),
  // y = x·σ(αx)
  "com.microsoft.QuickGelu": unary(({ g, node, in: { X }, dY }) => {
    const alpha = floatAttribute(node, "alpha", 1.702)
    const s = g.sigmoid(g.mul(X!, g.scalar(alpha)))
    const slope = g.add(g.scalar(1), g.mul(g.mul(X!, g.scalar(alpha)), g.sub(g.scalar(1), s)))
    return g.mul(dY, g.mul(s, slope))
  }),
  Max: [{ since: 8, variadic: true, inputs: { data: chosen("greaterOrEqual") } }],
  Min: [{ since: 8, variadic: true, inputs: { data: chosen("lessOrEqual") } }],
  Sum: [{ since: 8, variadic: true, inputs: { data: ({ dY }) => dY } }],
  Where: [
    {
      since: 9,
      inputs: {
        condition: boolean,
        X: ({ g, in: { condition }, dY }) => g.where(condition!, dY, g.scalar(0)),
        Y: ({ g, in: { condition }, dY }) => g.where(condition!, g.scalar(0), dY),
      },
    },
  ],
  Cast: [{ since: 1, inputs: { input: ({ g, in: { input }, dY }) => g.cast(dY, input!.type ?? "float32") } }],
  Equal: [{ since: 1, inputs: { A: boolean, B: boolean } }],
  Greater: [{ since: 1, inputs: { A: boolean, B: boolean } }],
  GreaterOrEqual: [{ since: 1, inputs: { A: boolean, B: boolean } }],
  Less: [{ since: 1, inputs: { A: boolean, B: boolean } }],
  LessOrEqual: [{ since: 1, inputs: { A: boolean, B: boolean } }],
  IsNaN: [{ since: 9, inputs: { X: boolean } }],
  Sign: [{ since: 9, inputs: { input: stop("the derivative is zero almost everywhere") } }],
}
