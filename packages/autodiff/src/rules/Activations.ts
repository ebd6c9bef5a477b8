import { float, floatAttribute, type GraphBuilder, type Node, stringAttribute, type Value } from "@tandem/onnx"
import { scalarLike } from "../internal/constants.ts"
import type { Gradient, Rule, RuleContext, RuleTable } from "../Rule.ts"

/** dx = dy · f′(x) */
const activation = (gradient: Gradient, again?: Rule["again"]): RuleTable[string] => [
  { since: 1, inputs: { X: gradient }, ...(again === undefined ? {} : { again }) },
]

/** What stands in most slopes: operand, result, and numbers of their type. */
interface Point {
  readonly g: GraphBuilder
  readonly x: Value
  readonly y: Value
  readonly n: (value: number) => Value
  /** A float attribute of the node. */
  readonly setting: (name: string, fallback: number) => number
}

const slope = (derivative: (point: Point) => Value): RuleTable[string] =>
  activation((context) => context.g.mul(context.dY, derivative(pointOf(context))))

/** The gradient where `condition` holds, 0 elsewhere. */
const gated = (condition: (point: Point) => Value): RuleTable[string] =>
  activation((context) =>
    context.g.where(condition(pointOf(context)), context.dY, scalarLike(context.g, context.dY, 0)),
  )

const pointOf = ({ g, node, operands: [x], out: [y], dY }: RuleContext): Point => ({
  g,
  x: x!,
  y: y!,
  n: (value) => scalarLike(g, dY, value),
  setting: (name, fallback) => floatAttribute(node, name, fallback),
})

const isPositive = ({ g, x, n }: Point): Value => g.greater(x, n(0))

const isTanh = (node: Node): boolean => stringAttribute(node, "approximate", "none") === "tanh"

/**
 * y = x/2 · (1 + tanh u), u = k·(x + c·x³); dy/dx = (1 + t)/2 + x/2 · (1 − t²) · k·(1 + 3c·x²), recomputed from x, so
 * that nothing needs to be stored besides it.
 */
const tanhGelu = (g: GraphBuilder, x: Value, dY: Value): Value => {
  const n = (value: number): Value => scalarLike(g, dY, value)
  const k = Math.sqrt(2 / Math.PI)
  const square = g.mul(x, x)
  const inner = g.mul(x, g.add(g.mul(square, n(0.044715 * k)), n(k)))
  const t = g.tanh(inner)
  const bend = g.add(g.mul(square, n(3 * 0.044715 * k)), n(k))
  const tail = g.mul(g.mul(x, g.sub(n(1), g.mul(t, t))), bend)
  return g.mul(g.mul(dY, n(0.5)), g.add(g.add(t, n(1)), tail))
}

/**
 * d/dx of x·Φ(x) is Φ(x) + x·φ(x). With u = x/√2: dy/dx = Φ + u · exp(−ln √π − u²); Φ = (1 + erf u)/2 is HardSigmoid
 * inside its bounds, one pass.
 */
const exactGelu = (g: GraphBuilder, x: Value, dY: Value): Value => {
  const n = (value: number): Value => scalarLike(g, dY, value)
  const u = g.mul(x, n(Math.SQRT1_2))
  const density = g.mul(u, g.exp(g.sub(n(-Math.log(Math.PI) / 2), g.mul(u, u))))
  return g.mul(dY, g.add(cumulative(g, x), density))
}

/** Φ(x) */
const cumulative = (g: GraphBuilder, x: Value): Value => {
  const half = { alpha: float(0.5), beta: float(0.5) }
  return g.op("HardSigmoid", [g.erf(g.mul(x, scalarLike(g, x, Math.SQRT1_2)))], { attributes: half })[0]!
}

/** x·Φ(x), whose Φ is that of the gradient. */
const exactGeluAgain: Rule["again"] = ({ g, operands: [x] }) => g.mul(x!, cumulative(g, x!))

/** A GELU of x + bias: both get the same gradient, the bias summed over rows. */
const biasGelu = (form: typeof exactGelu, bias: string): Gradient => {
  return ({ g, operands: [x], in: inputs, dY }) => {
    const added = inputs[bias]
    return form(g, added === undefined ? x! : g.add(x!, added), dY)
  }
}
const biasedExact = biasGelu(exactGelu, "B")
const biasedTanh = biasGelu(tanhGelu, "bias")

/** αx and σ(αx) */
const quickGate = (g: GraphBuilder, node: Node, x: Value): { readonly scaled: Value; readonly gate: Value } => {
  const alpha = floatAttribute(node, "alpha", 1.702)
  const scaled = alpha === 1 ? x : g.mul(x, scalarLike(g, x, alpha))
  return { scaled, gate: g.sigmoid(scaled) }
}

/** Gradients of activation functions. */
export const activationRules: RuleTable = {
  Relu: gated(({ g, y, n }) => g.greater(y, n(0))),
  Sigmoid: slope(({ g, y, n }) => g.mul(y, g.sub(n(1), y))),
  Gelu: activation(
    ({ g, node, in: { X }, dY }) => (isTanh(node) ? tanhGelu : exactGelu)(g, X!, dY),
    (context) => (isTanh(context.node) ? undefined : exactGeluAgain(context)),
  ),
  "com.microsoft.Gelu": activation(({ g, in: { X }, dY }) => exactGelu(g, X!, dY), exactGeluAgain),
  "com.microsoft.BiasGelu": [{ since: 1, inputs: { A: biasedExact, B: biasedExact } }],
  "com.microsoft.FastGelu": [{ since: 1, inputs: { X: biasedTanh, bias: biasedTanh } }],
  // y = x·σ(αx); dy/dx = σ + αy·(1 − σ)
  "com.microsoft.QuickGelu": activation(
    ({ g, node, in: { X }, dY }) => {
      const { scaled, gate } = quickGate(g, node, X!)
      const slope = g.add(gate, g.mul(g.mul(scaled, gate), g.sub(scalarLike(g, dY, 1), gate)))
      return g.mul(dY, slope)
    },
    ({ g, node, operands: [x] }) => g.mul(x!, quickGate(g, node, x!).gate),
  ),
  // y = x·tanh(softplus x); dy/dx = t + x·σ(x)·(1 − t²)
  Mish: slope(({ g, x, n }) => {
    const t = g.tanh(g.op("Softplus", [x])[0]!)
    return g.add(t, g.mul(g.mul(x, g.sigmoid(x)), g.sub(n(1), g.mul(t, t))))
  }),
  Softplus: slope(({ g, x }) => g.sigmoid(x)),
  // y = x/(1 + |x|); dy/dx = 1/(1 + |x|)²
  Softsign: [
    {
      since: 1,
      inputs: {
        input: ({ g, in: { input }, dY }) => {
          const size = g.add(g.abs(input!), scalarLike(g, dY, 1))
          return g.div(dY, g.mul(size, size))
        },
      },
    },
  ],
  // x where positive, αx elsewhere
  LeakyRelu: activation((context) => {
    const { g, dY } = context
    const point = pointOf(context)
    return g.where(isPositive(point), dY, g.mul(dY, point.n(point.setting("alpha", 0.01))))
  }),
  PRelu: [
    {
      since: 7,
      inputs: {
        X: ({ g, in: { X, slope: alpha }, dY }) => g.where(g.less(X!, scalarLike(g, dY, 0)), g.mul(dY, alpha!), dY),
        slope: ({ g, in: { X }, dY }) => {
          const zero = scalarLike(g, dY, 0)
          return g.mul(dY, g.where(g.less(X!, zero), X!, zero))
        },
      },
    },
  ],
  ThresholdedRelu: gated(({ g, x, n, setting }) => g.greater(x, n(setting("alpha", 1)))),
  // x − bias above λ, x + bias below −λ, 0 between
  Shrink: [
    {
      since: 9,
      inputs: {
        input: (context) => {
          const { g, dY } = context
          const { x, n, setting } = pointOf(context)
          return g.where(g.greater(g.abs(x), n(setting("lambd", 0.5))), dY, n(0))
        },
      },
    },
  ],
  // α·(eˣ − 1) below 0: α·eˣ
  Elu: slope((at) => {
    const { g, x, n, setting } = at
    return g.where(isPositive(at), n(1), g.mul(g.exp(g.op("Min", [x, n(0)])[0]!), n(setting("alpha", 1))))
  }),
  // γ·x above 0, γ·α·(eˣ − 1) below
  Selu: slope((at) => {
    const { g, x, n, setting } = at
    const gamma = setting("gamma", 1.0507009873554805)
    const below = g.mul(g.exp(g.op("Min", [x, n(0)])[0]!), n(gamma * setting("alpha", 1.6732632423543772)))
    return g.where(isPositive(at), n(gamma), below)
  }),
  // α·(exp(x/α) − 1) below 0
  Celu: slope((at) => {
    const { g, x, n, setting } = at
    return g.where(isPositive(at), n(1), g.exp(g.div(g.op("Min", [x, n(0)])[0]!, n(setting("alpha", 1)))))
  }),
  // αx + β between 0 and 1
  HardSigmoid: activation((context) => {
    const { g, dY } = context
    const { y, n, setting } = pointOf(context)
    const inside = g.where(g.greater(y, n(0)), g.mul(dY, n(setting("alpha", 0.2))), n(0))
    return g.where(g.less(y, n(1)), inside, n(0))
  }),
  // x·min(1, max(0, x/6 + 1/2)): 0 below −3, 1 above 3, x/3 + 1/2 between
  HardSwish: slope(({ g, x, n }) => {
    const between = g.add(g.mul(x, n(1 / 3)), n(0.5))
    return g.where(g.lessOrEqual(x, n(-3)), n(0), g.where(g.greaterOrEqual(x, n(3)), n(1), between))
  }),
}
