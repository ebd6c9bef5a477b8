import { type GraphBuilder, intAttribute, stringAttribute, type Value } from "@tandem/onnx"
import { zerosLike } from "../internal/constants.ts"
import { addRows, toFront } from "../internal/lookups.ts"
import { unsupported } from "../internal/refusals.ts"
import { axisOf, constantNumbers } from "../internal/shapes.ts"
import { type Gradient, type RuleContext, type RuleTable, type Shaped, stop } from "../Rule.ts"

const axes = stop("axes are integers")
const indices = stop("indices are integers")

const withDim = (dims: readonly number[], axis: number, size: number): readonly number[] =>
  dims.map((dim, at) => (at === axis ? size : dim))

/** The value between zeros along one axis. */
const between = (g: GraphBuilder, value: Shaped, axis: number, before: number, after: number): Shaped => {
  const zeros = (size: number): Value[] => (size === 0 ? [] : [zerosLike(g, value, withDim(value.dims, axis, size))])
  const dims = withDim(value.dims, axis, before + value.dims[axis]! + after)
  return { ...g.concat([...zeros(before), value, ...zeros(after)], axis), dims }
}

/** Elements laid out along an axis as `sources` says; −1 stands for a 0. */
const picked = (g: GraphBuilder, value: Shaped, axis: number, sources: readonly number[]): Shaped => {
  const size = value.dims[axis]!
  const extended = g.concat([value, zerosLike(g, value, withDim(value.dims, axis, 1))], axis)
  const at = g.indices(sources.map((source) => (source < 0 ? size : source)))
  return { ...g.gather(extended, at, axis), dims: withDim(value.dims, axis, sources.length) }
}

/** Puts the gradient back at the places that were cut out, axis by axis, with zeros around and between. */
const slice: Gradient = (context) => {
  const { g, in: inputs, dY } = context
  const data = inputs["data"]!
  const starts = constantNumbers(context, "starts") ?? []
  const along = constantNumbers(context, "axes") ?? [...starts.keys()]
  const steps = constantNumbers(context, "steps") ?? starts.map(() => 1)
  if (dY.dims.includes(0)) return zerosLike(g, dY, data.dims)
  return along.reduce((value: Shaped, raw, index) => {
    const axis = axisOf(raw, data.dims.length)
    const size = data.dims[axis]!
    const taken = value.dims[axis]!
    const step = steps[index]!
    if (taken === size && step === 1) return value
    const start = starts[index]!
    const first = Math.min(Math.max(start < 0 ? start + size : start, 0), size - 1)
    if (step === 1) return between(g, value, axis, first, size - first - taken)
    const sources = Array<number>(size).fill(-1)
    for (let at = 0; at < taken; at++) sources[first + at * step] = at
    return picked(g, value, axis, sources)
  }, dY)
}

interface Padding {
  readonly before: readonly number[]
  readonly after: readonly number[]
}

/** Padding by axis, negative where elements are cut off. */
const paddingOf = (context: RuleContext): Padding => {
  const rank = context.in["data"]!.dims.length
  const pads = constantNumbers(context, "pads") ?? []
  const along = (constantNumbers(context, "axes") ?? [...Array(rank).keys()]).map((axis) => axisOf(axis, rank))
  const side = (offset: number): number[] =>
    Array.from({ length: rank }, (_, axis) => {
      const at = along.indexOf(axis)
      return at < 0 ? 0 : pads[at + offset]!
    })
  return { before: side(0), after: side(along.length) }
}

/** What of the result's gradient falls on elements of the operand, in the operand's shape. */
const unpadded = (context: RuleContext, { before, after }: Padding): Shaped => {
  const { g, in: inputs, dY } = context
  const { dims } = inputs["data"]!
  const cut = [...dims.keys()].filter((axis) => before[axis]! > 0 || after[axis]! > 0)
  const list = (values: readonly number[]): Value => g.indices(values)
  const kept = dims.map((dim, axis) => dim + Math.min(before[axis]!, 0) + Math.min(after[axis]!, 0))
  const starts = cut.map((axis) => Math.max(before[axis]!, 0))
  const ends = cut.map((axis, index) => starts[index]! + kept[axis]!)
  const inner = cut.length === 0 ? dY : g.op("Slice", [dY, list(starts), list(ends), list(cut)])[0]!
  return dims.reduce(
    (value: Shaped, _, axis) => {
      const [first, last] = [Math.max(-before[axis]!, 0), Math.max(-after[axis]!, 0)]
      return first + last === 0 ? value : between(g, value, axis, first, last)
    },
    { ...inner, dims: kept },
  )
}

/** The element of an axis of `size` that stands at a place before or after it. */
const mirrored: Readonly<Record<string, (place: number, size: number) => number>> = {
  edge: (place, size) => Math.min(Math.max(place, 0), size - 1),
  wrap: (place, size) => ((place % size) + size) % size,
  reflect: (place, size) => {
    const period = Math.max(2 * (size - 1), 1)
    const within = ((place % period) + period) % period
    return Math.min(within, period - within)
  },
}

/** Copies in the padding add to the elements that they are copies of, axis by axis. */
const folded = (context: RuleContext, source: (place: number, size: number) => number): Value => {
  const { g, in: inputs, dY } = context
  const { dims } = inputs["data"]!
  const { before, after } = paddingOf(context)
  const shapes = dims.map((_, axis) => dims.map((dim, at) => (at < axis ? dim : dY.dims[at]!)))
  return dims.reduce((value: Value, size, axis) => {
    if (before[axis] === 0 && after[axis] === 0) return value
    const from = shapes[axis]!
    const [front, back] = toFront(axis, dims.length)
    const cut = Math.max(-before[axis]!, 0)
    const kept = size - cut - Math.max(-after[axis]!, 0)
    const places = Array.from({ length: from[axis]! }, (_, at) => at - Math.max(before[axis]!, 0))
    const rows = g.indices(places.map((place) => source(place, kept) + cut))
    const sum = addRows(g, {
      size,
      rest: from.filter((_, at) => at !== axis),
      rows: g.reshape(rows, [places.length, 1]),
      updates: g.transpose(value, front),
      start: undefined,
    })
    return g.transpose(sum, back)
  }, dY)
}

const pad: Gradient = (context) => {
  const mode = stringAttribute(context.node, "mode", "constant")
  if (mode === "constant") return unpadded(context, paddingOf(context))
  const source = mirrored[mode]
  if (source !== undefined) return folded(context, source)
  throw unsupported(context, {
    input: "data",
    attribute: "mode",
    found: mode,
    expected: "constant, edge, reflect or wrap",
  })
}

/** The number in the padding gets what does not fall on elements of the operand. */
const padValue: Gradient = (context) => {
  const { g, in: inputs, dY } = context
  const inner = g.reduceSum(unpadded(context, paddingOf(context)), [], false)
  return g.reshape(g.sub(g.reduceSum(dY, [], false), inner), inputs["constant_value"]!.dims)
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
    out.map((value, index) => dout[index] ?? zerosLike(g, value, value.dims)),
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

/** A mask of elements, and an order of elements that is its own inverse: the same operator on the gradient. */
const again =
  (operand: string): Gradient =>
  ({ g, node, in: inputs, dY }) =>
    g.op(node.op, [dY, inputs[operand]], { attributes: node.attributes })[0]!

/** Gradients of operators that cut, pad, join and repeat. */
export const pieceRules: RuleTable = {
  Concat: [{ since: 4, variadic: true, inputs: { inputs: concat } }],
  Split: [{ since: 2, everyOutput: true, inputs: { input: split, split: stop("sizes are integers") } }],
  Slice: [{ since: 10, inputs: { data: slice, starts: indices, ends: indices, axes, steps: indices } }],
  Pad: [{ since: 11, inputs: { data: pad, pads: stop("sizes are integers"), constant_value: padValue, axes } }],
  Tile: [{ since: 6, inputs: { input: tile, repeats: stop("counts are integers") } }],
  Trilu: [{ since: 14, inputs: { input: again("k"), k: stop("a diagonal's number is an integer") } }],
  ReverseSequence: [
    { since: 10, inputs: { input: again("sequence_lens"), sequence_lens: stop("lengths are integers") } },
  ],
}
