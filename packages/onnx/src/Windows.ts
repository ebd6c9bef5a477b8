import { type Attributes, intAttribute, intsAttribute, stringAttribute } from "./Graph.ts"

/** How the windows of a convolution or a pooling lie over its operand, one number for each spatial axis. */
export interface Windows {
  readonly kernel: readonly number[]
  readonly strides: readonly number[]
  readonly dilations: readonly number[]
  /** Padding before the first element. */
  readonly before: readonly number[]
  /** Padding after the last element. */
  readonly after: readonly number[]
  /** Number of windows. */
  readonly output: readonly number[]
}

/** Elements that a window spans, the gaps between those it reads included. */
export const windowSpan = (kernel: number, dilation: number): number => (kernel - 1) * dilation + 1

/**
 * The windows of a Conv, MaxPool or AveragePool over `sizes`, the operand's spatial dimensions, with `auto_pad`
 * resolved and `ceil_mode` counted: a window that would start beyond the operand and its padding before is left out.
 */
export const windowsOf = (
  node: { readonly attributes: Attributes },
  sizes: readonly number[],
  kernel: readonly number[],
): Windows => {
  const ones = sizes.map(() => 1)
  const strides = intsAttribute(node, "strides") ?? ones
  const dilations = intsAttribute(node, "dilations") ?? ones
  const mode = stringAttribute(node, "auto_pad", "NOTSET")
  const spans = kernel.map((size, axis) => windowSpan(size, dilations[axis]!))
  if (mode === "SAME_UPPER" || mode === "SAME_LOWER") {
    const output = sizes.map((size, axis) => Math.ceil(size / strides[axis]!))
    const total = output.map((count, axis) => Math.max((count - 1) * strides[axis]! + spans[axis]! - sizes[axis]!, 0))
    const less = total.map((pad) => Math.floor(pad / 2))
    const more = total.map((pad) => Math.ceil(pad / 2))
    const [before, after] = mode === "SAME_UPPER" ? [less, more] : [more, less]
    return { kernel, strides, dilations, before, after, output }
  }
  const pads = mode === "VALID" ? undefined : intsAttribute(node, "pads")
  const before = pads?.slice(0, sizes.length) ?? sizes.map(() => 0)
  const after = pads?.slice(sizes.length) ?? sizes.map(() => 0)
  const ceil = intAttribute(node, "ceil_mode", 0) === 1
  const output = sizes.map((size, axis) => {
    const room = (size + before[axis]! + after[axis]! - spans[axis]!) / strides[axis]!
    const count = (ceil ? Math.ceil(room) : Math.floor(room)) + 1
    return ceil && (count - 1) * strides[axis]! >= size + before[axis]! ? count - 1 : count
  })
  return { kernel, strides, dilations, before, after, output }
}
