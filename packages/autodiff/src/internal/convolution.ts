import { type Attributes, elementCount, type GraphBuilder, int, ints, type Value } from "@tandem/onnx"
import { type Windows, windowSpan } from "@tandem/onnx/Windows"
import type { Shaped } from "../Rule.ts"

/** How the windows of a convolution lie, without their number. */
export type Spacing = Pick<Windows, "strides" | "dilations" | "before" | "after">

const attributesOf = ({ strides, dilations, before, after }: Spacing, group: number): Attributes => ({
  strides: ints(strides),
  dilations: ints(dilations),
  pads: ints([...before, ...after]),
  group: int(group),
})

/** The convolution that has this spacing, whatever the forward one is called. */
export const convolve = (g: GraphBuilder, x: Value, weight: Value, spacing: Spacing, group: number): Value =>
  g.op("Conv", [x, weight], { attributes: attributesOf(spacing, group) })[0]!

/**
 * The transposed convolution back to an operand of spatial `sizes`: each result spreads over the elements that its
 * window read. Elements that no window read are made by padding the output.
 */
export const spreadWindows = (
  g: GraphBuilder,
  dY: Shaped,
  weight: Shaped,
  spacing: Spacing,
  { sizes, group }: { readonly sizes: readonly number[]; readonly group: number },
): Value => {
  const { strides, dilations, before } = spacing
  const beyond = sizes.map((size, axis) => {
    const span = windowSpan(weight.dims[axis + 2]!, dilations[axis]!)
    return (dY.dims[axis + 2]! - 1) * strides[axis]! + span - before[axis]! - size
  })
  const after = beyond.map((count) => Math.max(count, 0))
  const missing = beyond.map((count) => Math.max(-count, 0))
  const attributes = { ...attributesOf({ ...spacing, after }, group), output_padding: ints(missing) }
  return g.op("ConvTranspose", [dY, weight], { attributes })[0]!
}

/**
 * Gradient by the weight `[M, C/group, …kernel]` of a convolution of `x` `[N, C, …]` with the result's gradient `dY`
 * `[N, M, …]`: itself a convolution over the batch, in which strides and dilations change places. Where windows do not
 * fill the operand it reaches beyond the kernel and is cut.
 */
export const byWeight = (
  g: GraphBuilder,
  x: Shaped,
  dY: Shaped,
  spacing: Spacing,
  { kernel, group }: { readonly kernel: readonly number[]; readonly group: number },
): Value => {
  const [batch, channels] = [x.dims[0]!, x.dims[1]!]
  const spatial = x.dims.slice(2)
  const swapped = [1, 0, ...spatial.map((_, axis) => axis + 2)]
  const apart = g.reshape(x, [batch, group, channels / group, ...spatial])
  const byChannel = g.transpose(apart, [2, 1, 0, ...spatial.map((_, axis) => axis + 3)])
  const images = g.reshape(byChannel, [channels / group, group * batch, ...spatial])
  const turned = { ...spacing, strides: spacing.dilations, dilations: spacing.strides }
  const full = g.transpose(convolve(g, images, g.transpose(dY, swapped), turned, group), swapped)
  const axes = kernel.map((_, axis) => axis + 2)
  const exact = full.dims?.slice(2).every((dim, axis) => dim === kernel[axis]) === true
  if (exact || elementCount(kernel) === 0) return full
  return g.op("Slice", [full, g.indices(kernel.map(() => 0)), g.indices(kernel), g.indices(axes)])[0]!
}
