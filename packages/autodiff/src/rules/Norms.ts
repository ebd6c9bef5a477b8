import { elementCount, intAttribute, type Value } from "@tandem/onnx"
import { axisOf } from "../internal/shapes.ts"
import { type RuleContext, type RuleTable, stop } from "../Rule.ts"

/** x̂ = (x − mean) · inverse deviation, from the statistics that the forward pass saved. */
const normalized = ({ g, in: { X }, out }: RuleContext): Value => g.mul(g.sub(X!, out[1]!), out[2]!)

const normalizedAxes = ({ node, in: { X } }: RuleContext): number[] => {
  const rank = X!.dims.length
  const first = axisOf(intAttribute(node, "axis", -1), rank)
  return Array.from({ length: rank - first }, (_, index) => first + index)
}

/** Sums over all axes but the normalised ones, which is the shape of scale and bias. */
const perFeature = (context: RuleContext, value: Value): Value => {
  const {
    g,
    in: { X },
  } = context
  const features = elementCount(X!.dims.slice(X!.dims.length - normalizedAxes(context).length))
  const rows = elementCount(X!.dims) / features
  const dims = X!.dims.slice(X!.dims.length - normalizedAxes(context).length)
  return g.reshape(g.reduceSum(g.reshape(value, [rows, features]), [0], false), dims)
}

/** Gradients of softmax and of layer normalisation. */
export const normRules: RuleTable = {
  // dx = y · (dy − Σ dy·y)
  Softmax: [
    {
      since: 13,
      inputs: {
        input: ({ g, node, out, dY }) => {
          const y = out[0]!
          const axis = axisOf(intAttribute(node, "axis", -1), y.dims.length)
          return g.mul(y, g.sub(dY, g.reduceSum(g.mul(dY, y), [axis], true)))
        },
      },
    },
  ],
  // dx = dy − exp(y) · Σ dy
  LogSoftmax: [
    {
      since: 13,
      inputs: {
        input: ({ g, node, out, dY }) => {
          const y = out[0]!
          const axis = axisOf(intAttribute(node, "axis", -1), y.dims.length)
          return g.sub(dY, g.mul(g.exp(y), g.reduceSum(dY, [axis], true)))
        },
      },
    },
  ],
  // With d = dy·scale: dx = (d − mean d − x̂ · mean(d·x̂)) · inverse deviation; dscale = Σ dy·x̂; dbias = Σ dy
  LayerNormalization: [
    {
      since: 17,
      saves: 3,
      inputs: {
        X: (context) => {
          const {
            g,
            in: { Scale },
            out,
            dY,
          } = context
          const axes = normalizedAxes(context)
          const x = normalized(context)
          const d = g.mul(dY, Scale!)
          const centred = g.sub(d, g.reduceMean(d, axes, true))
          return g.mul(g.sub(centred, g.mul(x, g.reduceMean(g.mul(d, x), axes, true))), out[2]!)
        },
        Scale: (context) => perFeature(context, context.g.mul(context.dY, normalized(context))),
        B: (context) => perFeature(context, context.dY),
      },
    },
  ],
  // With the mask of the training mode as second output: dx = dy · mask / (1 − ratio)
  Dropout: [
    {
      since: 13,
      inputs: {
        data: ({ g, in: { ratio, training_mode: training }, out, dY }) => {
          const trains = g.constantOf(training)
          if (training === undefined || trains?.data[0] === 0) return dY
          const one = g.scalar(1)
          const scale = g.reciprocal(g.sub(one, ratio ?? g.scalar(0.5)))
          const dropped = g.where(out[1]!, g.mul(dY, scale), g.scalar(0))
          return trains === undefined ? g.where(training, dropped, dY) : dropped
        },
        ratio: stop("a rate is a setting"),
        training_mode: stop("a truth value has no gradient"),
      },
      saves: 2,
    },
  ],
}
