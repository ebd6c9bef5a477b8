import {
  elementCount,
  type GraphBuilder,
  int64,
  intAttribute,
  intsAttribute,
  type Node,
  staticDims,
  stringAttribute,
  type Value,
} from "@tandem/onnx"
import { NotDifferentiable } from "../Errors.ts"
import { axisOf, constantNumbers } from "../internal/shapes.ts"
import { type Gradient, type RuleTable, type Shaped, stop } from "../Rule.ts"

/** Operators that only lay the same elements out anew: the gradient takes the operand's shape back. */
const relaid =
  (name: string): Gradient =>
  ({ g, in: inputs, dY }) =>
    g.reshape(dY, inputs[name]!.dims)

const shape = stop("a shape is made of integers")
const axes = stop("axes are integers")
const indices = stop("indices are integers")

/** Row numbers as `[…, 1]`, negative ones counted from the end, as ScatterND takes them. */
const rowIndices = (g: GraphBuilder, at: Shaped, size: number): Value => {
  const wide = g.cast(at, "int64")
  const zero = g.constant({ type: "int64", dims: [], data: new BigInt64Array(1) })
  const whole = g.constant({ type: "int64", dims: [], data: BigInt64Array.of(BigInt(size)) })
  const positive = g.where(g.less(wide, zero), g.add(wide, whole), wide)
  return g.reshape(positive, [elementCount(at.dims), 1])
}

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
  const front = [axis, ...Array.from({ length: rank }, (_, index) => index).filter((index) => index !== axis)]
  const back = Array.from({ length: rank }, (_, index) => front.indexOf(index))
  return (sum) => {
    const start = sum === undefined ? undefined : g.transpose(sum, front)
    return g.transpose(addRows(g, { size, rest, rows: rowIndices(g, at, size), updates, start }), back)
  }
}

/** Tables of at most this many rows take their gradient as a product with a matrix of ones and zeros. */
const smallTable = 1024

/**
 * The sum of updates `[rows, …rest]` by the row of a table `[size, …rest]` that each goes to. The order of the additions
 * must not depend on threads, as it does in ONNX Runtime's ScatterND under `add`, or a run would not be repeatable.
 */
const addRows = (
  g: GraphBuilder,
  table: {
    readonly size: number
    readonly rest: readonly number[]
    readonly rows: Value
    readonly updates: Value
    readonly start: Value | undefined
  },
): Value => {
  const { size, rest, rows, updates, start } = table
  const count = staticDims(updates.dims)?.[0] ?? 0
  if (size > smallTable) {
    const spreadRows = g.expand(g.reshape(rows, [count, ...rest.map(() => 1)]), [count, ...rest])
    return g.scatterElementsAdd(start ?? g.zeros("float32", [size, ...rest]), spreadRows, updates, 0)
  }
  const width = elementCount(rest)
  const numbers = g.constant(int64([size], [...Array(size).keys()]))
  const chosen = g.cast(g.equal(rows, numbers), "float32")
  const c = start === undefined ? {} : { c: g.reshape(start, [size, width]) }
  return g.reshape(g.gemm(chosen, g.reshape(updates, [count, width]), { transA: true, ...c }), [size, ...rest])
}

const gatherElements: Gradient = ({ g, node, in: inputs, dY }) => {
  const data = inputs["data"]!
  const axis = axisOf(intAttribute(node, "axis", 0), data.dims.length)
  return (sum) => g.scatterElementsAdd(sum ?? g.zeros("float32", data.dims), inputs["indices"]!, dY, axis)
}

/** Indices reach into the axes after the batch axes; with none of those, it is one ScatterND. */
const gatherNd: Gradient = ({ g, node, in: inputs, dY }) => {
  const data = inputs["data"]!
  const at = inputs["indices"]!
  const batch = intAttribute(node, "batch_dims", 0)
  if (batch === 0) {
    return (sum) => g.scatterNdAdd(sum ?? g.zeros("float32", data.dims), g.cast(at, "int64"), dY)
  }
  // Batch axes become explicit leading indices
  const lead = data.dims.slice(0, batch)
  const rows = elementCount(at.dims.slice(batch, -1))
  const depth = at.dims.at(-1)!
  const flat: number[] = []
  for (let index = 0; index < elementCount(lead); index++) for (let row = 0; row < rows; row++) flat.push(index)
  const batchIndex = g.constant({ type: "int64", dims: [flat.length, 1], data: BigInt64Array.from(flat, BigInt) })
  const full = g.concat([batchIndex, g.reshape(g.cast(at, "int64"), [flat.length, depth])], 1)
  const rest = data.dims.slice(batch)
  const updates = g.reshape(dY, [flat.length, ...rest.slice(depth)])
  return g.reshape(g.scatterNdAdd(g.zeros("float32", [elementCount(lead), ...rest]), full, updates), data.dims)
}

/** Puts the gradient back at the places that were cut out, by rows along each sliced axis. */
const slice: Gradient = (context) => {
  const { g, in: inputs, dY } = context
  const data = inputs["data"]!
  const starts = constantNumbers(context, "starts") ?? []
  const along = constantNumbers(context, "axes") ?? [...starts.keys()]
  const steps = constantNumbers(context, "steps") ?? starts.map(() => 1)
  let result: Value = dY
  const dims = [...dY.dims]
  for (const [index, raw] of along.entries()) {
    const axis = axisOf(raw, data.dims.length)
    const size = data.dims[axis]!
    const taken = dims[axis]!
    const step = steps[index]!
    if (taken === size && step === 1) continue
    const first = Math.min(Math.max(starts[index]! < 0 ? starts[index]! + size : starts[index]!, 0), size - 1)
    if (step === 1) {
      const parts = [first, size - first - taken].map((length) =>
        length === 0
          ? []
          : [
              g.zeros(
                "float32",
                dims.map((dim, at) => (at === axis ? length : dim)),
              ),
            ],
      )
      result = g.concat([...parts[0]!, result, ...parts[1]!], axis)
    } else {
      const rows = Array.from({ length: taken }, (_, at) => first + at * step)
      const front = [axis, ...[...dims.keys()].filter((at) => at !== axis)]
      const rest = dims.filter((_, at) => at !== axis)
      const at = g.constant({ type: "int64", dims: [taken, 1], data: BigInt64Array.from(rows, BigInt) })
      const scattered = g.scatterNdAdd(g.zeros("float32", [size, ...rest]), at, g.transpose(result, front))
      result = g.transpose(
        scattered,
        [...dims.keys()].map((from) => front.indexOf(from)),
      )
    }
    dims[axis] = size
  }
  return result
}

/** What was written out of the updates: the gradient at the places where they went. */
const scatteredUpdates: Gradient = ({ g, in: inputs, dY }) => {
  const at = inputs["indices"]!
  if (at.dims.at(-1) !== 1) return g.op("GatherND", [dY, at])[0]!
  return g.gather(dY, g.reshape(at, at.dims.slice(0, -1)))
}

/** Elements that were overwritten have no part in the result; under `add` all have. */
const scatteredData: Gradient = ({ g, node, in: inputs, dY }) =>
  scatterReduction(node) === "add"
    ? dY
    : g.op("ScatterND", [dY, inputs["indices"]!, g.zeros("float32", inputs["updates"]!.dims)])[0]!

const scatterReduction = (node: Node): "none" | "add" => {
  const reduction = stringAttribute(node, "reduction", "none")
  if (reduction === "none" || reduction === "add") return reduction
  throw new NotDifferentiable({
    message: `ScatterND with the reduction ${reduction} has no gradient rule`,
    op: node.op,
    node: node.name,
    expected: "none or add",
    found: reduction,
  })
}

const transpose: Gradient = ({ g, node, in: inputs, dY }) => {
  const rank = inputs["data"]!.dims.length
  const perm = intsAttribute(node, "perm") ?? Array.from({ length: rank }, (_, index) => rank - 1 - index)
  return g.transpose(
    dY,
    Array.from({ length: rank }, (_, index) => perm.indexOf(index)),
  )
}

/** Each operand gets the part of the gradient that stands where it was put. */
const concat: Gradient = ({ g, node, operands, dY }, index) => {
  const axis = axisOf(intAttribute(node, "axis", 0), dY.dims.length)
  const sizes = operands.map((operand) => operand.dims[axis]!)
  return g.split(dY, sizes, axis)[index]!
}

const split: Gradient = ({ g, node, in: inputs, out, dout }) => {
  const axis = axisOf(intAttribute(node, "axis", 0), inputs["input"]!.dims.length)
  return g.concat(
    out.map((value, index) => dout[index] ?? g.zeros("float32", value.dims)),
    axis,
  )
}

/** Repeats add up: the repeated axis is split into repeats and size, and the repeats are summed. */
const tile: Gradient = (context) => {
  const { g, in: inputs, dY } = context
  const input = inputs["input"]!
  const times = constantNumbers(context, "repeats") ?? input.dims.map(() => 1)
  const apart = g.reshape(
    dY,
    input.dims.flatMap((dim, index) => [times[index]!, dim]),
  )
  return g.reshape(
    g.reduceSum(
      apart,
      [...input.dims.keys()].map((index) => 2 * index),
      false,
    ),
    input.dims,
  )
}

/** Gradients of operators that move, copy or pick elements. */
export const shapeRules: RuleTable = {
  Reshape: [{ since: 5, inputs: { data: relaid("data"), shape } }],
  Flatten: [{ since: 1, inputs: { input: relaid("input") } }],
  Squeeze: [{ since: 1, inputs: { data: relaid("data"), axes } }],
  Unsqueeze: [{ since: 1, inputs: { data: relaid("data"), axes } }],
  // The walker sums over the axes along which the operand was repeated
  Expand: [{ since: 8, inputs: { input: ({ dY }) => dY, shape } }],
  Transpose: [{ since: 1, inputs: { data: transpose } }],
  Concat: [{ since: 4, variadic: true, inputs: { inputs: concat } }],
  Split: [{ since: 2, everyOutput: true, inputs: { input: split, split: stop("sizes are integers") } }],
  Slice: [{ since: 10, inputs: { data: slice, starts: indices, ends: indices, axes, steps: indices } }],
  Tile: [{ since: 6, inputs: { input: tile, repeats: stop("counts are integers") } }],
  Gather: [{ since: 1, inputs: { data: gather, indices } }],
  GatherElements: [{ since: 11, inputs: { data: gatherElements, indices } }],
  GatherND: [{ since: 11, inputs: { data: gatherNd, indices } }],
  // Indices of a scatter without reduction are distinct, as ONNX demands
  ScatterND: [
    {
      since: 11,
      inputs: {
        data: scatteredData,
        indices,
        updates: (context, index) => {
          scatterReduction(context.node)
          return scatteredUpdates(context, index)
        },
      },
    },
  ],
  Shape: [{ since: 1, inputs: { data: shape } }],
}
