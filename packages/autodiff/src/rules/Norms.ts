import { elementCount, floatAttribute, int, intAttribute, intsAttribute, type Value } from "@tandem/onnx"
import { scalarLike } from "../internal/constants.ts"
import { unsupported } from "../internal/refusals.ts"
import { axisOf, sumRows } from "../internal/shapes.ts"
import { type Gradient, type Rule, type RuleContext, type RuleTable, type Shaped, stop, todo } from "../Rule.ts"

/** A normalisation as a matrix: one row for each set of elements that is normalised together. */
interface NormRows {
  readonly rows: number
  readonly features: number
  /** `[rows, features]` */
  readonly matrix: (value: Value) => Value
  /** x less its mean `[rows, features]`, from the statistics that the forward pass saved. */
  readonly centred: Value
  /** Inverse deviation, as a column `[rows, 1]` or a row `[1, rows]`. */
  readonly inverse: (dims: readonly number[]) => Value
  /** dy · (x − mean) `[rows, features]` */
  readonly product: Value
}

/** Rows with the outputs at `mean` (absent: the rows are not centred) and `inverse` as statistics. */
const normRows = (context: RuleContext, scale: string, mean: number | undefined, inverse: number): NormRows => {
  const { g, node, in: inputs, operands, out, dY } = context
  const { dims, type } = operands[0]!
  const features = elementCount(dims.slice(axisOf(intAttribute(node, "axis", -1), dims.length)))
  const rows = elementCount(dims) / features
  const found = inputs[scale]!.dims
  if (elementCount(found) !== features) {
    throw unsupported(context, {
      input: scale,
      attribute: "a shape of the scale",
      found: `[${found}]`,
      expected: `of ${features} elements`,
    })
  }
  const matrix = (value: Value): Value => g.reshape(value, [rows, features])
  const statistic = (index: number, shape: readonly number[]): Value =>
    g.cast(g.reshape(out[index]!, shape), type ?? "float32")
  const centred = mean === undefined ? matrix(operands[0]!) : g.sub(matrix(operands[0]!), statistic(mean, [rows, 1]))
  const product = g.mul(matrix(dY), centred)
  return { rows, features, matrix, centred, inverse: (shape) => statistic(inverse, shape), product }
}

/**
 * With x̂ = (x − mean) · s, s the inverse deviation, γ the scale and F features:
 * dx = (dy·γ − Σ dy·γ/F − x̂ · Σ dy·x̂·γ/F) · s, without the first sum where rows are not centred. The sums over features
 * are products with γ/F, so that nothing is formed for them; s² stands with the second sum, a number for each row.
 */
const throughNorm = ({ g, dY, operands }: RuleContext, scale: Shaped, norm: NormRows, centres: boolean): Value => {
  const { rows, features, matrix, centred, product } = norm
  const inverse = norm.inverse([rows, 1])
  const share = g.mul(g.reshape(scale, [features, 1]), scalarLike(g, scale, 1 / features))
  const scaled = g.mul(matrix(dY), g.reshape(scale, [features]))
  const level = centres ? g.sub(scaled, g.gemm(matrix(dY), share)) : scaled
  const slope = g.mul(g.gemm(product, share), g.mul(inverse, inverse))
  return g.reshape(g.mul(g.sub(level, g.mul(centred, slope)), inverse), operands[0]!.dims)
}

/** A layer normalisation's operands; γ gets Σ dy·x̂, a product with the row of inverse deviations, and the bias Σ dy. */
const layerNorm = (scale: string, mean: number | undefined, inverse: number) => {
  const rowsOf = (context: RuleContext): NormRows => normRows(context, scale, mean, inverse)
  const x: Gradient = (context) => throughNorm(context, context.in[scale]!, rowsOf(context), mean !== undefined)
  const gamma: Gradient = (context) => {
    const { rows, product, inverse } = rowsOf(context)
    return context.g.reshape(context.g.gemm(inverse([1, rows]), product), context.in[scale]!.dims)
  }
  const bias: Gradient = (context, index) => {
    const { rows, matrix } = rowsOf(context)
    return context.g.reshape(sumRows(context.g, matrix(context.dY), rows), context.operands[index]!.dims)
  }
  return { x, gamma, bias }
}

const layer = layerNorm("Scale", 1, 2)
const simplified = layerNorm("scale", undefined, 1)

/** The normalisation without its statistics, its axis counted from the other end: an equal node, but not the same. */
const normAgain: Rule["again"] = ({ g, node, operands }) => {
  const { dims, type } = operands[0]!
  const axis = intAttribute(node, "axis", -1)
  const attributes = { ...node.attributes, axis: int(axis < 0 ? axis + dims.length : axis - dims.length) }
  return g.op(node.op, operands, { domain: node.domain, attributes, outputs: [{ type, dims }], name: node.name })[0]
}

/** Sums of a value `[N, C, …]` by channel `[C]`. */
const byChannel = ({ g, operands }: RuleContext, value: Value): Value =>
  g.reduceSum(
    value,
    [...operands[0]!.dims.keys()].filter((axis) => axis !== 1),
    false,
  )

/** A value by channel `[C]` as `[C, 1, …]`, which broadcasts against `[N, C, …]`. */
const asChannels = ({ g, operands }: RuleContext, value: Value): Value => {
  const { dims } = operands[0]!
  return g.reshape(value, [dims[1]!, ...dims.slice(2).map(() => 1)])
}

/** (x − mean) and 1/√(variance + ε), both against `[N, C, …]`, from the operands of a batch normalisation. */
const batchStatistics = (context: RuleContext) => {
  const { g, node, in: inputs } = context
  if (intAttribute(node, "training_mode", 0) !== 0) {
    throw unsupported(context, { input: "X", attribute: "training_mode", found: "1", expected: "0" })
  }
  const variance = inputs["input_var"]!
  const shifted = g.add(variance, scalarLike(g, variance, floatAttribute(node, "epsilon", 1e-5)))
  return {
    centred: g.sub(inputs["X"]!, asChannels(context, inputs["input_mean"]!)),
    inverse: asChannels(context, g.reciprocal(g.sqrt(shifted))),
    scale: asChannels(context, inputs["scale"]!),
  }
}

/** y = γ · (x − μ)/√(σ² + ε) + β with all of γ, β, μ and σ² as operands. */
const batchNorm: Readonly<Record<string, Gradient>> = {
  X: (context) => {
    const { inverse, scale } = batchStatistics(context)
    return context.g.mul(context.dY, context.g.mul(scale, inverse))
  },
  scale: (context) => {
    const { g, dY } = context
    const { centred, inverse } = batchStatistics(context)
    return byChannel(context, g.mul(dY, g.mul(centred, inverse)))
  },
  B: (context) => byChannel(context, context.dY),
  input_mean: (context) => {
    const { g, dY } = context
    const { inverse, scale } = batchStatistics(context)
    return g.neg(byChannel(context, g.mul(dY, g.mul(scale, inverse))))
  },
  // dy · γ · (x − μ) · (−1/2) · (σ² + ε)^(−3/2)
  input_var: (context) => {
    const { g, dY } = context
    const { centred, inverse, scale } = batchStatistics(context)
    const cube = g.mul(inverse, g.mul(inverse, inverse))
    const slope = g.mul(g.mul(scale, scalarLike(g, dY, -0.5)), cube)
    return byChannel(context, g.mul(dY, g.mul(centred, slope)))
  },
}

/** x̂ `[rows, features]` and the inverse deviation of rows whose statistics were not saved. */
const standardized = (context: RuleContext, rows: number) => {
  const { g, node, operands } = context
  const matrix = g.reshape(operands[0]!, [rows, elementCount(operands[0]!.dims) / rows])
  const centred = g.sub(matrix, g.reduceMean(matrix, [1]))
  const variance = g.reduceMean(g.mul(centred, centred), [1])
  const epsilon = scalarLike(g, matrix, floatAttribute(node, "epsilon", 1e-5))
  const inverse = g.reciprocal(g.sqrt(g.add(variance, epsilon)))
  return { normalized: g.mul(centred, inverse), inverse }
}

/** Normalisation of groups of channels: dx = (dŷ − mean dŷ − x̂ · mean dŷ·x̂) · inverse deviation with dŷ = dy·γ. */
const groupNorm = (scale: string, groupsOf: (context: RuleContext) => number) => {
  const { x, gamma }: Readonly<Record<"x" | "gamma", Gradient>> = {
    x: (context) => {
      const { g, in: inputs, operands, dY } = context
      const { dims } = operands[0]!
      const rows = dims[0]! * groupsOf(context)
      const { normalized, inverse } = standardized(context, rows)
      const scaled = g.mul(dY, asChannels(context, channelwise(context, inputs[scale]!)))
      const d = g.reshape(scaled, [rows, elementCount(dims) / rows])
      const along = g.mul(normalized, g.reduceMean(g.mul(d, normalized), [1]))
      return g.reshape(g.mul(g.sub(g.sub(d, g.reduceMean(d, [1])), along), inverse), dims)
    },
    gamma: (context) => {
      const { g, in: inputs, operands, dY } = context
      const { dims } = operands[0]!
      const { normalized } = standardized(context, dims[0]! * groupsOf(context))
      return groupwise(context, byChannel(context, g.mul(dY, g.reshape(normalized, dims))), inputs[scale]!)
    },
  }
  const beta: Gradient = (context, index) =>
    groupwise(context, byChannel(context, context.dY), context.operands[index]!)
  return { x, gamma, beta }
}

/** A value by channel, or by group of channels, by channel. */
const channelwise = ({ g, operands }: RuleContext, value: Shaped): Value => {
  const channels = operands[0]!.dims[1]!
  const groups = value.dims[0]!
  if (groups === channels) return value
  return g.reshape(g.expand(g.reshape(value, [groups, 1]), [groups, channels / groups]), [channels])
}

/** Sums by channel, summed further where the operand has one element for a group. */
const groupwise = ({ g, operands }: RuleContext, sums: Value, target: Shaped): Value => {
  const channels = operands[0]!.dims[1]!
  const groups = target.dims[0]!
  if (groups === channels) return sums
  return g.reduceSum(g.reshape(sums, [groups, channels / groups]), [1], false)
}

const instance = groupNorm("scale", ({ operands }) => operands[0]!.dims[1]!)
const group = groupNorm("scale", ({ node }) => intAttribute(node, "num_groups", 1))

/** y = x/‖x‖: dx = (dy − s · Σ dy·y)/‖x‖ with s the norm's own slope, y under p = 2 and sign x under p = 1. */
const lpNorm: Gradient = ({ g, node, in: { input }, out: [y], dY }) => {
  const axis = axisOf(intAttribute(node, "axis", -1), y!.dims.length)
  const first = intAttribute(node, "p", 2) === 1
  const size = first ? g.abs(input!) : g.mul(input!, input!)
  const summed = g.reduceSum(size, [axis], true)
  const along = g.reduceSum(g.mul(dY, y!), [axis], true)
  const slope = first ? g.sign(input!) : y!
  return g.div(g.sub(dY, g.mul(slope, along)), first ? summed : g.sqrt(summed))
}

/** y = (x − mean)/deviation over `axes`: dx = (dy − mean dy − y · mean dy·y)/deviation. */
const meanVariance: Gradient = ({ g, node, in: { X }, out: [y], dY }) => {
  const axes = intsAttribute(node, "axes") ?? [0, 2, 3]
  const centred = g.sub(X!, g.reduceMean(X!, axes))
  const deviation = g.sqrt(g.reduceMean(g.mul(centred, centred), axes))
  const along = g.mul(y!, g.reduceMean(g.mul(dY, y!), axes))
  return g.div(g.sub(g.sub(dY, g.reduceMean(dY, axes)), along), deviation)
}

/** With the mask of the training mode as second output: dx = dy · mask / (1 − ratio) */
const dropout: Gradient = ({ g, in: { ratio, training_mode: training }, out, dY }) => {
  const trains = g.constantOf(training)
  if (training === undefined || trains?.data[0] === 0) return dY
  const one = scalarLike(g, dY, 1)
  const rate = ratio === undefined ? scalarLike(g, dY, 0.5) : g.cast(ratio, dY.type ?? "float32")
  const dropped = g.where(out[1]!, g.mul(dY, g.reciprocal(g.sub(one, rate))), scalarLike(g, dY, 0))
  return trains === undefined ? g.where(training, dropped, dY) : dropped
}

/** Gradients of normalisations and of dropout. */
export const normRules: RuleTable = {
  LayerNormalization: [
    { since: 17, saves: 3, inputs: { X: layer.x, Scale: layer.gamma, B: layer.bias }, again: normAgain },
  ],
  SimplifiedLayerNormalization: [
    { since: 1, saves: 2, inputs: { X: simplified.x, scale: simplified.gamma }, again: normAgain },
  ],
  BatchNormalization: [{ since: 9, inputs: batchNorm }],
  InstanceNormalization: [{ since: 1, inputs: { input: instance.x, scale: instance.gamma, B: instance.beta } }],
  GroupNormalization: [{ since: 18, inputs: { X: group.x, scale: group.gamma, bias: group.beta } }],
  LpNormalization: [{ since: 1, inputs: { input: lpNorm } }],
  MeanVarianceNormalization: [{ since: 9, inputs: { X: meanVariance } }],
  Dropout: [
    {
      since: 13,
      saves: 2,
      inputs: {
        data: dropout,
        ratio: todo("a rate is a setting"),
        training_mode: stop("a truth value has no gradient"),
      },
    },
  ],
}
