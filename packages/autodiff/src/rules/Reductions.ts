import { type GraphBuilder, intAttribute, intsAttribute, type Value } from "@tandem/onnx"
import { scalarLike } from "../internal/constants.ts"
import { axisOf, constantNumbers, keptDims } from "../internal/shapes.ts"
import { type Gradient, type RuleContext, type RuleTable, stop } from "../Rule.ts"

const axesOf = (context: RuleContext): readonly number[] => {
  const { node } = context
  const data = context.in["data"]!
  const listed = constantNumbers(context, "axes") ?? intsAttribute(node, "axes")
  if (listed === undefined || listed.length === 0) {
    return intAttribute(node, "noop_with_empty_axes", 0) === 1 ? [] : [...data.dims.keys()]
  }
  return listed.map((axis) => axisOf(axis, data.dims.length))
}

/** A value of the reduced shape with the reduced axes back as 1, so that it broadcasts against the operand. */
const kept = (context: RuleContext, value: Value): Value =>
  context.g.reshape(value, keptDims(context.in["data"]!.dims, axesOf(context)))

const spread = (g: GraphBuilder, value: Value, context: RuleContext): Value => g.expand(value, context.in["data"]!.dims)

const count = (context: RuleContext): number =>
  axesOf(context).reduce((product, axis) => product * context.in["data"]!.dims[axis]!, 1)

const reduction = (data: Gradient): RuleTable[string] => [
  { since: 1, inputs: { data, axes: stop("axes are integers") } },
]

/** The gradient goes in equal parts to the elements that attain the extremum, as PyTorch's amax does. */
const extremum: Gradient = (context) => {
  const {
    g,
    in: { data },
    out,
    dY,
  } = context
  const axes = axesOf(context)
  if (axes.length === 0) return dY
  const hits = g.cast(g.equal(data!, kept(context, out[0]!)), dY.type ?? "float32")
  const share = g.div(kept(context, dY), g.reduceSum(hits, axes, true))
  return g.mul(hits, share)
}

/**
 * dx = dy · (the product of the others): y/x, but with one 0 among the factors only that one gets a gradient, and with
 * more of them none does.
 */
const product: Gradient = (context) => {
  const {
    g,
    in: { data },
    dY,
  } = context
  const axes = axesOf(context)
  if (axes.length === 0) return dY
  const zero = scalarLike(g, dY, 0)
  const one = scalarLike(g, dY, 1)
  const isZero = g.equal(data!, zero)
  const rest = g.where(isZero, one, data!)
  const zeros = g.reduceSum(g.cast(isZero, dY.type ?? "float32"), axes)
  const others = g.op("ReduceProd", [rest, g.indices(axes)])[0]!
  const whole = g.where(g.equal(zeros, zero), others, zero)
  const single = g.where(g.equal(zeros, one), others, zero)
  return g.mul(kept(context, dY), g.where(isZero, single, g.div(whole, rest)))
}

/** Gradients of reductions; x is the operand, y the result, sums run over the reduced axes. */
export const reductionRules: RuleTable = {
  ReduceSum: reduction((context) => spread(context.g, kept(context, context.dY), context)),
  ReduceMean: reduction((context) =>
    spread(
      context.g,
      context.g.mul(kept(context, context.dY), scalarLike(context.g, context.dY, 1 / count(context))),
      context,
    ),
  ),
  ReduceSumSquare: reduction((context) => {
    const {
      g,
      in: { data },
      dY,
    } = context
    return g.mul(g.mul(data!, scalarLike(g, dY, 2)), kept(context, dY))
  }),
  // dx = dy · x/y, and 0 where y = 0
  ReduceL2: reduction((context) => {
    const {
      g,
      in: { data },
      out,
      dY,
    } = context
    const norm = kept(context, out[0]!)
    const zero = scalarLike(g, dY, 0)
    const isZero = g.equal(norm, zero)
    const scaled = g.div(kept(context, dY), g.where(isZero, scalarLike(g, dY, 1), norm))
    return g.mul(data!, g.where(isZero, zero, scaled))
  }),
  // dx = dy · exp(x − y)
  ReduceLogSumExp: reduction((context) => {
    const {
      g,
      in: { data },
      out,
      dY,
    } = context
    return g.mul(g.exp(g.sub(data!, kept(context, out[0]!))), kept(context, dY))
  }),
  ReduceL1: reduction((context) => context.g.mul(context.g.sign(context.in["data"]!), kept(context, context.dY))),
  // y = ln Σ x: dx = dy · exp(−y)
  ReduceLogSum: reduction((context) => {
    const { g, out, dY } = context
    return spread(g, kept(context, g.mul(dY, g.exp(g.neg(out[0]!)))), context)
  }),
  ReduceProd: reduction(product),
  ReduceMax: reduction(extremum),
  ReduceMin: reduction(extremum),
  CumSum: [
    {
      since: 11,
      inputs: {
        // The sum from the other end: the same operator with `reverse` flipped
        x: ({ g, node, in: { axis }, dY }) =>
          g.op("CumSum", [dY, axis], {
            attributes: {
              ...node.attributes,
              reverse: { kind: "int", value: 1 - intAttribute(node, "reverse", 0) },
            },
          })[0]!,
        axis: stop("an axis is an integer"),
      },
    },
  ],
}
