import { elementCount, intAttribute, type Value } from "@tandem/onnx"
import { axisOf, sumRows } from "../internal/shapes.ts"
import { type RuleContext, type RuleTable, stop } from "../Rule.ts"

/** A layer normalisation as a matrix: one row for each set of elements that is normalised together. */
interface NormRows {
  readonly rows: number
  readonly features: number
  /** `[rows, features]` */
  readonly matrix: (value: Value) => Value
  /** x̂ = (x − mean) · inverse deviation `[rows, features]`, from the statistics that the forward pass saved. */
  readonly normalized: Value
  /** Inverse deviation `[rows, 1]`. */
  readonly inverse: Value
  /** dy · x̂ `[rows, features]` */
  readonly product: Value
}

const normRows = ({ g, node, in: { X }, out, dY }: RuleContext): NormRows => {
  const { dims } = X!
  const features = elementCount(dims.slice(axisOf(intAttribute(node, "axis", -1), dims.length)))
  const rows = elementCount(dims) / features
  const matrix = (value: Value): Value => g.reshape(value, [rows, features])
  const statistic = (value: Value): Value => g.reshape(value, [rows, 1])
  const inverse = statistic(out[2]!)
  const normalized = g.mul(g.sub(matrix(X!), statistic(out[1]!)), inverse)
  return { rows, features, matrix, normalized, inverse, product: g.mul(matrix(dY), normalized) }
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
  // With γ the scale and F features: dx = (dy·γ − Σ dy·γ/F − x̂ · Σ dy·x̂·γ/F) · inverse deviation;
  // dγ = Σ dy·x̂; dbias = Σ dy. The sums over features are products with γ/F, so that nothing is formed for them.
  LayerNormalization: [
    {
      since: 17,
      saves: 3,
      inputs: {
        X: (context) => {
          const {
            g,
            in: { X, Scale },
            dY,
          } = context
          const { features, matrix, normalized, inverse, product } = normRows(context)
          const share = g.mul(g.reshape(Scale!, [features, 1]), g.scalar(1 / features))
          const scaled = g.mul(matrix(dY), g.reshape(Scale!, [features]))
          const centred = g.sub(scaled, g.gemm(matrix(dY), share))
          const straightened = g.sub(centred, g.mul(normalized, g.gemm(product, share)))
          return g.reshape(g.mul(straightened, inverse), X!.dims)
        },
        Scale: (context) => {
          const { rows, product } = normRows(context)
          return context.g.reshape(sumRows(context.g, product, rows), context.in["Scale"]!.dims)
        },
        B: (context) => {
          const { rows, matrix } = normRows(context)
          return context.g.reshape(sumRows(context.g, matrix(context.dY), rows), context.in["B"]!.dims)
        },
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
