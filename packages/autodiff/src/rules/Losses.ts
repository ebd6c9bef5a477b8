import { elementCount, type GraphBuilder, intAttribute, intsAttribute, stringAttribute, type Value } from "@tandem/onnx"
import { integersLike, scalarLike, zerosLike } from "../internal/constants.ts"
import { axisOf, sameDims } from "../internal/shapes.ts"
import { type Gradient, type RuleContext, type RuleTable, type Shaped, stop, todo } from "../Rule.ts"

/** How much each label's term counts in the gradient of a class loss. */
interface Terms {
  /** Labels `[N, 1, …]`, with 0 for those that are ignored. */
  readonly labels: Value
  /** Gradient by each term `[N, 1, …]`: class weight, mask and the reduction's factor. */
  readonly factors: Value
}

/**
 * The loss is −Σ wₜ · score[label t] over terms that are not ignored, divided by Σ wₜ under `mean`; one term alone for
 * each label under `none`. Class weights w are 1 where absent.
 */
const termsOf = (context: RuleContext, labels: Shaped, weights: Shaped | undefined, dL: Shaped): Terms => {
  const { g, node } = context
  const n = (value: number): Value => scalarLike(g, dL, value)
  const ignored = node.attributes["ignore_index"]
  const column = [labels.dims[0]!, 1, ...labels.dims.slice(1)]
  const skip = ignored?.kind === "int" ? g.equal(labels, integersLike(g, labels, [], [ignored.value])) : undefined
  const safe = skip === undefined ? labels : g.where(skip, integersLike(g, labels, [], [0]), labels)
  const weight = weights === undefined ? n(1) : g.gather(weights, safe)
  const counted = g.expand(skip === undefined ? weight : g.where(skip, n(0), weight), labels.dims)
  const mean = stringAttribute(node, "reduction", "mean") === "mean"
  return {
    labels: g.reshape(safe, column),
    factors: g.reshape(g.mul(mean ? g.div(dL, total(context, counted, skip, weights, labels)) : dL, counted), column),
  }
}

/** Σ w, and 1 where that is 0, so that a batch without a label has a gradient of 0. */
const total = (
  { g, dY }: RuleContext,
  counted: Value,
  skip: Value | undefined,
  weights: Value | undefined,
  labels: Shaped,
): Value => {
  if (skip === undefined && weights === undefined) return scalarLike(g, dY, elementCount(labels.dims))
  const sum = g.reduceSum(counted, [], false)
  return g.where(g.equal(sum, scalarLike(g, dY, 0)), scalarLike(g, dY, 1), sum)
}

/** Takes each term's factor off the score of its label. */
const atLabels = ({ g }: RuleContext, start: Value, { labels, factors }: Terms): Value =>
  g.scatterElementsAdd(start, labels, g.neg(factors), 1)

/**
 * With p = exp(log_prob): dx = p · factor, less the factor at the label; the probabilities that the forward pass saved
 * are the only values of the size of the scores, no one-hot labels are made. By log_prob: dx = dl − p · Σ dl.
 */
const softmaxCrossEntropy: Gradient = (context) => {
  const {
    g,
    in: { labels, weights },
    out,
    dout: [dLoss, dLog],
  } = context
  const p = g.exp(out[1]!)
  const direct = dLog && g.sub(dLog, g.mul(p, g.reduceSum(dLog, [1], true)))
  if (dLoss === undefined) return direct!
  const terms = termsOf(context, labels!, weights, dLoss)
  const byLoss = atLabels(context, g.mul(p, terms.factors), terms)
  return direct === undefined ? byLoss : g.add(byLoss, direct)
}

const negativeLogLikelihood: Gradient = (context) => {
  const {
    g,
    in: { input, target, weight },
    dY,
  } = context
  return atLabels(context, zerosLike(g, dY, input!.dims), termsOf(context, target!, weight, dY))
}

/**
 * The probabilities, with 0 for NaN where the graph asks for NaN: rows that are masked whole have no probabilities, and
 * exporters put zeros in their place, whose gradient of 0 times NaN would be NaN.
 */
const guarded = (g: GraphBuilder, y: Value): Value => {
  const isNan = g.applied("IsNaN", [y])
  return isNan === undefined ? y : g.where(isNan, scalarLike(g, y, 0), y)
}

/**
 * Σ dy·y over the last axis where y is only a product's left operand, o = y·V, elements set to zero before it or not:
 * o is linear in a row of y, so that the sum is Σ do·o (Euler; Dao et al., 2022, FlashAttention, B.4). That is as many
 * elements as V has columns instead of rows. Undefined where y goes elsewhere, or where nothing would be saved.
 */
const sumOverProduct = (
  { g, readers }: Pick<RuleContext, "g" | "readers">,
  dims: readonly number[],
): Value | undefined => {
  const [reader, ...others] = readers()
  if (reader === undefined || others.length > 0) return undefined
  const { node, operands, at, out, dout } = reader
  if (node.op === "Where" && sameDims(out.dims, dims)) {
    const other = g.constantOf(operands[at[0] === 1 ? 2 : 1])
    const zeroes = at.length === 1 && at[0] !== 0 && other?.data.length === 1 && Number(other.data[0]) === 0
    return zeroes ? sumOverProduct({ g, readers: reader.readers }, dims) : undefined
  }
  const isLeft = node.op === "MatMul" && node.domain === "" && at.length === 1 && at[0] === 0
  const keepsRows = sameDims(out.dims.slice(0, -1), dims.slice(0, -1))
  if (!isLeft || !keepsRows || out.dims.at(-1)! >= dims.at(-1)!) return undefined
  const [next, ...more] = reader.readers()
  const order = next?.node.op === "Transpose" && more.length === 0 ? intsAttribute(next.node, "perm") : undefined
  const last = out.dims.length - 1
  if (next === undefined || order?.at(-1) !== last) return g.reduceSum(g.mul(dout, out), [last], true)
  // The product's result and its gradient are there in the order that the following node brings them into.
  const sums = g.reduceSum(g.mul(next.dout, next.out), [last], true)
  return g.transpose(sums, invertedOrder(order))
}

const invertedOrder = (order: readonly number[]): readonly number[] => order.map((_, axis) => order.indexOf(axis))

const labels = stop("labels are integers")
const classWeights = todo("class weights are a setting")

/** Gradients of softmax and of losses by class. */
export const lossRules: RuleTable = {
  // dx = y · (dy − Σ dy·y)
  Softmax: [
    {
      since: 13,
      inputs: {
        input: (context) => {
          const { g, node, out, dY } = context
          const y = guarded(g, out[0]!)
          const axis = axisOf(intAttribute(node, "axis", -1), dY.dims.length)
          const inner = axis === dY.dims.length - 1 ? sumOverProduct(context, dY.dims) : undefined
          return g.mul(y, g.sub(dY, inner ?? g.reduceSum(g.mul(dY, y), [axis], true)))
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
  Hardmax: [{ since: 13, inputs: { input: stop("the derivative is zero almost everywhere") } }],
  SoftmaxCrossEntropyLoss: [
    {
      since: 12,
      saves: 2,
      everyOutput: true,
      inputs: { scores: softmaxCrossEntropy, labels, weights: classWeights },
    },
  ],
  NegativeLogLikelihoodLoss: [
    { since: 12, inputs: { input: negativeLogLikelihood, target: labels, weight: classWeights } },
  ],
}
