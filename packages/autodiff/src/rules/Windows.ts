import { elementCount, intAttribute, intsAttribute, stringAttribute, type Value } from "@tandem/onnx"
import { type Windows, windowsOf } from "@tandem/onnx/Windows"
import { numbersLike, scalarLike, zerosLike } from "../internal/constants.ts"
import { byWeight, convolve, type Spacing, spreadWindows } from "../internal/convolution.ts"
import { unsupported } from "../internal/refusals.ts"
import type { Gradient, RuleContext, RuleTable, Shaped } from "../Rule.ts"

const groupOf = ({ node }: RuleContext): number => intAttribute(node, "group", 1)

/** Sums of the gradient `[N, C, …]` by channel. */
const byChannel: Gradient = ({ g, dY }) =>
  g.reduceSum(
    dY,
    [...dY.dims.keys()].filter((axis) => axis !== 1),
    false,
  )

/** y = x ∗ w + b: dx is the transposed convolution of dy with w, dw a convolution of x with dy, db the sum of dy. */
const conv: Readonly<Record<"X" | "W" | "B", Gradient>> = {
  X: (context) => {
    const { g, node, in: inputs, dY } = context
    const [x, w] = [inputs["X"]!, inputs["W"]!]
    const sizes = x.dims.slice(2)
    return spreadWindows(g, dY, w, windowsOf(node, sizes, w.dims.slice(2)), { sizes, group: groupOf(context) })
  },
  W: (context) => {
    const { g, node, in: inputs, dY } = context
    const [x, w] = [inputs["X"]!, inputs["W"]!]
    const kernel = w.dims.slice(2)
    return byWeight(g, x, dY, windowsOf(node, x.dims.slice(2), kernel), { kernel, group: groupOf(context) })
  },
  B: byChannel,
}

/** Strides, dilations and padding of a transposed convolution, where they are written down. */
const transposedSpacing = (context: RuleContext, input: string): Spacing => {
  const { node, in: inputs } = context
  const mode = stringAttribute(node, "auto_pad", "NOTSET")
  const attribute = mode !== "NOTSET" ? "auto_pad" : "output_shape"
  if (mode !== "NOTSET" || node.attributes["output_shape"] !== undefined) {
    throw unsupported(context, { input, attribute, found: mode, expected: "left to pads and output_padding" })
  }
  const sizes = inputs["X"]!.dims.slice(2)
  const pads = intsAttribute(node, "pads") ?? [...sizes, ...sizes].map(() => 0)
  return {
    strides: intsAttribute(node, "strides") ?? sizes.map(() => 1),
    dilations: intsAttribute(node, "dilations") ?? sizes.map(() => 1),
    before: pads.slice(0, sizes.length),
    after: pads.slice(sizes.length),
  }
}

/** The gradient of a convolution's gradient: dx is the convolution of dy with w, dw that of dy with x. */
const convTranspose: Readonly<Record<"X" | "W" | "B", Gradient>> = {
  X: (context) => convolve(context.g, context.dY, context.in["W"]!, transposedSpacing(context, "X"), groupOf(context)),
  W: (context) => {
    const { g, in: inputs, dY } = context
    const kernel = inputs["W"]!.dims.slice(2)
    return byWeight(g, dY, inputs["X"]!, transposedSpacing(context, "W"), { kernel, group: groupOf(context) })
  },
  B: byChannel,
}

/** How many elements each window averages, in the order of the windows. */
const windowCounts = (sizes: readonly number[], windows: Windows, withPadding: boolean): number[] =>
  sizes.reduce<number[]>(
    (counts, size, axis) => {
      const { kernel, strides, dilations, before, after, output } = windows
      const [low, high] = withPadding ? [-before[axis]!, size + after[axis]!] : [0, size]
      const along = Array.from({ length: output[axis]! }, (_, window) => {
        const start = window * strides[axis]! - before[axis]!
        const places = Array.from({ length: kernel[axis]! }, (_, at) => start + at * dilations[axis]!)
        return places.filter((place) => place >= low && place < high).length
      })
      return counts.flatMap((count) => along.map((other) => count * other))
    },
    [1],
  )

/** Each average spreads evenly over the elements that it was made of. */
const averagePool: Gradient = ({ g, node, in: inputs, dY }) => {
  const { dims } = inputs["X"]!
  const sizes = dims.slice(2)
  const kernel = intsAttribute(node, "kernel_shape") ?? []
  const windows = windowsOf(node, sizes, kernel)
  const counts = windowCounts(sizes, windows, intAttribute(node, "count_include_pad", 0) === 1)
  const shares = counts.every((count) => count === counts[0])
    ? scalarLike(g, dY, 1 / counts[0]!)
    : numbersLike(
        g,
        dY,
        windows.output,
        counts.map((count) => 1 / count),
      )
  const images = elementCount(dims.slice(0, 2))
  const flat: Shaped = {
    ...g.reshape(g.mul(dY, shares), [images, 1, ...windows.output]),
    dims: [images, 1, ...windows.output],
  }
  const one = { dims: [1, 1, ...kernel] }
  const weight = { ...numbersLike(g, dY, one.dims, Array(elementCount(kernel)).fill(1)), ...one }
  return g.reshape(spreadWindows(g, flat, weight, windows, { sizes, group: 1 }), dims)
}

/** The gradient goes to the places of the maxima, which the second output names. */
const maxPool: Gradient = (context) => {
  const { g, node, in: inputs, out, dY } = context
  if (intAttribute(node, "storage_order", 0) !== 0) {
    throw unsupported(context, { input: "X", attribute: "storage_order", found: "1", expected: "0" })
  }
  const { dims } = inputs["X"]!
  const flat = (value: Value): Value => g.reshape(value, [elementCount(dY.dims)])
  const sum = g.scatterElementsAdd(zerosLike(g, dY, [elementCount(dims)]), flat(out[1]!), flat(dY), 0)
  return g.reshape(sum, dims)
}

const globalAveragePool: Gradient = ({ g, in: inputs, dY }) => {
  const { dims } = inputs["X"]!
  return g.expand(g.mul(dY, scalarLike(g, dY, 1 / elementCount(dims.slice(2)))), dims)
}

/** In equal parts to the elements that attain the maximum. */
const globalMaxPool: Gradient = ({ g, in: inputs, out: [y], dY }) => {
  const x = inputs["X"]!
  const hits = g.cast(g.equal(x, y!), dY.type ?? "float32")
  const axes = [...x.dims.keys()].slice(2)
  return g.mul(hits, g.div(dY, g.reduceSum(hits, axes)))
}

/** Gradients of convolutions and poolings. */
export const windowRules: RuleTable = {
  Conv: [{ since: 1, inputs: conv }],
  ConvTranspose: [{ since: 1, inputs: convTranspose }],
  AveragePool: [{ since: 7, inputs: { X: averagePool } }],
  MaxPool: [{ since: 8, saves: 2, inputs: { X: maxPool } }],
  GlobalAveragePool: [{ since: 1, inputs: { X: globalAveragePool } }],
  GlobalMaxPool: [{ since: 1, inputs: { X: globalMaxPool } }],
}
