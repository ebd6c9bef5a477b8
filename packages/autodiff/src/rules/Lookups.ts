import { elementCount, type GraphBuilder, intAttribute, stringAttribute, type Value } from "@tandem/onnx"
import { integersLike, zerosLike } from "../internal/constants.ts"
import { addRows, rowNumbers, toFront } from "../internal/lookups.ts"
import { unsupported } from "../internal/refusals.ts"
import { axisOf } from "../internal/shapes.ts"
import { type Addition, type Gradient, type RuleContext, type RuleTable, type Shaped, stop } from "../Rule.ts"

const indices = stop("indices are integers")

/**
 * Adds the gradient's slices to the rows that they were taken from; rows taken more than once add up.
 * Along an axis other than the first, that axis is moved to the front and back.
 */
const gather: Gradient = ({ g, node, in: inputs, dY }) => {
  const data = inputs["data"]!
  const at = inputs["indices"]!
  const rank = data.dims.length
  const axis = axisOf(intAttribute(node, "axis", 0), rank)
  const size = data.dims[axis]!
  const rest = data.dims.filter((_, index) => index !== axis)
  const moved = g.transpose(dY, [
    ...Array.from({ length: at.dims.length }, (_, index) => axis + index),
    ...Array.from({ length: axis }, (_, index) => index),
    ...Array.from({ length: rank - axis - 1 }, (_, index) => axis + at.dims.length + index),
  ])
  const updates = g.reshape(moved, [elementCount(at.dims), ...rest])
  const [front, back] = toFront(axis, rank)
  const rows = rowNumbers(g, at, size)
  const dense: Addition = (sum) => {
    const start = sum === undefined ? undefined : g.transpose(sum, front)
    return g.transpose(addRows(g, { size, rest, rows, updates, start }), back)
  }
  return axis === 0 && rank > 1 ? Object.assign(dense, { rows, updates }) : dense
}

const gatherElements: Gradient = ({ g, node, in: inputs, dY }) => {
  const data = inputs["data"]!
  const axis = axisOf(intAttribute(node, "axis", 0), data.dims.length)
  return (sum) => g.scatterElementsAdd(sum ?? zerosLike(g, dY, data.dims), inputs["indices"]!, dY, axis)
}

/** The numbers `[count, 1]` of the rows that lists of `depth` indices name, in a table of `[…lead, …axes]` rows. */
const listedRows = (g: GraphBuilder, at: Shaped, lead: readonly number[], axes: readonly number[]): Value => {
  const count = elementCount(at.dims.slice(0, -1))
  const list = g.reshape(g.cast(at, "int64"), [count, axes.length])
  const whole = (dims: readonly number[], values: readonly number[]): Value => integersLike(g, list, dims, values)
  const positive = g.where(g.less(list, whole([], [0])), g.add(list, whole([axes.length], axes)), list)
  const strides = axes.map((_, index) => elementCount(axes.slice(index + 1)))
  const weighted = axes.length === 1 ? positive : g.mul(positive, whole([axes.length], strides))
  const inner = axes.length === 1 ? weighted : g.reduceSum(weighted, [1])
  if (lead.length === 0) return inner
  // The lists of one place of the batch follow each other
  const each = count / elementCount(lead)
  const offsets = Array.from({ length: count }, (_, index) => Math.floor(index / each) * elementCount(axes))
  return g.add(inner, whole([count, 1], offsets))
}

/**
 * Batch axes and indexed axes together are the rows of a table, of which slices were taken. Where no slice was taken
 * twice, each is written to its place.
 */
const gatherNd: Gradient = ({ g, node, in: inputs, dY, distinct }) => {
  const data = inputs["data"]!
  const at = inputs["indices"]!
  const batch = intAttribute(node, "batch_dims", 0)
  if (batch === 0 && distinct(1)) return g.op("ScatterND", [zerosLike(g, dY, data.dims), at, dY])[0]!
  const depth = at.dims.at(-1)!
  const lead = data.dims.slice(0, batch)
  const axes = data.dims.slice(batch, batch + depth)
  const rest = data.dims.slice(batch + depth)
  const size = elementCount(lead) * elementCount(axes)
  const rows = listedRows(g, at, lead, axes)
  const updates = g.reshape(dY, [elementCount(at.dims.slice(0, -1)), ...rest])
  return (sum) => {
    const start = sum === undefined ? undefined : g.reshape(sum, [size, ...rest])
    return g.reshape(addRows(g, { size, rest, rows, updates, start }), data.dims)
  }
}

const reductionOf = (context: RuleContext, input: string): "none" | "add" => {
  const found = stringAttribute(context.node, "reduction", "none")
  if (found === "none" || found === "add") return found
  throw unsupported(context, { input, attribute: "reduction", found, expected: "none or add" })
}

/** What was written out of the updates: the gradient at the places where they went. */
const scatterNdUpdates: Gradient = (context) => {
  const { g, in: inputs, dY } = context
  const at = inputs["indices"]!
  reductionOf(context, "updates")
  if (at.dims.at(-1) !== 1) return g.op("GatherND", [dY, at])[0]!
  return g.gather(dY, g.reshape(at, at.dims.slice(0, -1)))
}

/** Elements that were overwritten have no part in the result; under `add` all have. */
const scatterNdData: Gradient = (context) => {
  const { g, in: inputs, dY } = context
  if (reductionOf(context, "data") === "add") return dY
  return g.op("ScatterND", [dY, inputs["indices"]!, zerosLike(g, dY, inputs["updates"]!.dims)])[0]!
}

const scatterElementsUpdates: Gradient = (context) => {
  const { g, node, in: inputs, dY } = context
  reductionOf(context, "updates")
  const { axis } = node.attributes
  return g.op("GatherElements", [dY, inputs["indices"]!], axis === undefined ? {} : { attributes: { axis } })[0]!
}

const scatterElementsData: Gradient = (context) => {
  const { g, node, in: inputs, dY } = context
  if (reductionOf(context, "data") === "add") return dY
  const zeros = zerosLike(g, dY, inputs["updates"]!.dims)
  return g.op("ScatterElements", [dY, inputs["indices"]!, zeros], { attributes: node.attributes })[0]!
}

/** The values go back to the places that the second output names. */
const topK: Gradient = ({ g, node, in: inputs, out, dY }) => {
  const { dims } = inputs["X"]!
  const axis = axisOf(intAttribute(node, "axis", -1), dims.length)
  return (sum) => g.scatterElementsAdd(sum ?? zerosLike(g, dY, dims), out[1]!, dY, axis)
}

/** Gradients of operators that take from, or write to, places that indices name. */
export const lookupRules: RuleTable = {
  Gather: [{ since: 1, inputs: { data: gather, indices } }],
  GatherElements: [{ since: 11, inputs: { data: gatherElements, indices } }],
  GatherND: [{ since: 11, inputs: { data: gatherNd, indices } }],
  // Indices of a scatter without reduction are distinct, as ONNX demands
  ScatterND: [{ since: 11, inputs: { data: scatterNdData, indices, updates: scatterNdUpdates } }],
  ScatterElements: [{ since: 11, inputs: { data: scatterElementsData, indices, updates: scatterElementsUpdates } }],
  TopK: [{ since: 11, saves: 2, inputs: { X: topK, K: stop("a count is an integer") } }],
}
