import { float32, intsAttribute, stringAttribute, type Value } from "@tandem/onnx"
import { numbersLike } from "../internal/constants.ts"
import { unsupported } from "../internal/refusals.ts"
import { constantNumbers } from "../internal/shapes.ts"
import { type Gradient, type RuleTable, stop } from "../Rule.ts"

/**
 * Resizing is linear and works axis by axis: y = x · M along each axis, where M `[size, new size]` is what the operator
 * makes of the identity matrix. So dx = dy · Mᵀ along each axis, whatever the mode and the coordinates.
 */
const resize: Gradient = (context) => {
  const { g, node, in: inputs, dY } = context
  const x = inputs["X"]!
  const rank = x.dims.length
  const coordinates = stringAttribute(node, "coordinate_transformation_mode", "half_pixel")
  const policy = stringAttribute(node, "keep_aspect_ratio_policy", "stretch")
  if (coordinates === "tf_crop_and_resize") {
    const attribute = "coordinate_transformation_mode"
    throw unsupported(context, { input: "X", attribute, found: coordinates, expected: "without a crop" })
  }
  if (policy !== "stretch") {
    throw unsupported(context, {
      input: "X",
      attribute: "keep_aspect_ratio_policy",
      found: policy,
      expected: "stretch",
    })
  }
  const axes = (intsAttribute(node, "axes") ?? x.dims.map((_, axis) => axis)).map((axis) => (axis + rank) % rank)
  const scales = constantNumbers(context, "scales") ?? []
  const { axes: _axes, ...attributes } = node.attributes
  return axes.reduce((gradient: Value, axis, index) => {
    const [size, resized] = [x.dims[axis]!, dY.dims[axis]!]
    const scale = scales[index]
    if (size === resized && (scale === undefined || scale === 1)) return gradient
    const identity = numbersLike(
      g,
      dY,
      [size, size],
      Array.from({ length: size * size }, (_, at) => (at % (size + 1) === 0 ? 1 : 0)),
    )
    const operands =
      scale === undefined
        ? [identity, undefined, undefined, g.indices([size, resized])]
        : [identity, undefined, g.constant(float32([2], [1, scale]))]
    const matrix = g.transpose(g.op("Resize", operands, { attributes })[0]!, [1, 0])
    const order = [...Array(rank).keys()].filter((other) => other !== axis)
    const last = [...order, axis]
    const back = [...Array(rank).keys()].map((other) => last.indexOf(other))
    return g.transpose(g.matmul(g.transpose(gradient, last), matrix), back)
  }, dY)
}

/** Gradient of resizing, as models of images resize their tables of positions. */
export const resizingRules: RuleTable = {
  Resize: [
    {
      since: 11,
      inputs: {
        X: resize,
        roi: stop("it says where to crop"),
        scales: stop("the number of elements is an integer"),
        sizes: stop("sizes are integers"),
      },
    },
  ],
}
