import { int, intAttribute, type Value } from "@tandem/onnx"
import { scalarLike, zerosLike } from "../internal/constants.ts"
import { unsupported } from "../internal/refusals.ts"
import { axisOf, constantNumbers } from "../internal/shapes.ts"
import { type Gradient, type RuleContext, type RuleTable, type Shaped, stop } from "../Rule.ts"

/** The value with zeros behind it, or cut, so that an axis has this size. */
const fitted = ({ g }: RuleContext, value: Shaped, axis: number, size: number): Shaped => {
  const has = value.dims[axis]!
  const dims = value.dims.with(axis, size)
  if (has === size) return value
  if (has > size) return { ...g.slice(value, axis, 0, size), dims }
  return { ...g.concat([value, zerosLike(g, value, value.dims.with(axis, size - has))], axis), dims }
}

/**
 * A discrete Fourier transform is linear and its matrix F symmetric: the gradient is conj(F)·dy, the transform in the
 * other direction without its factor 1/n. The half of a one-sided transform that was left out has a gradient of 0.
 */
const dft: Gradient = (context) => {
  const { g, node, in: inputs, dY } = context
  const { dims } = inputs["input"]!
  const inverse = intAttribute(node, "inverse", 0) === 1
  const oneSided = intAttribute(node, "onesided", 0) === 1
  if (inverse && oneSided) {
    throw unsupported(context, { input: "input", attribute: "onesided", found: "1", expected: "0 where inverse is 1" })
  }
  const axis = axisOf(constantNumbers(context, "axis")?.[0] ?? -2, dims.length)
  const size = constantNumbers(context, "dft_length")?.[0] ?? dims[axis]!
  const whole: Value = fitted(context, dY, axis, size)
  const attributes = { inverse: int(inverse ? 0 : 1) }
  const turned = g.op("DFT", [whole, undefined, inputs["axis"]], { attributes })[0]!
  const scaled = g.mul(turned, scalarLike(g, dY, inverse ? 1 / size : size))
  const taken = fitted(context, { ...scaled, dims: dY.dims.with(axis, size) }, axis, dims[axis]!)
  return dims.at(-1) === 2 ? taken : g.slice(taken, dims.length - 1, 0, 1)
}

/** Gradients of transforms of signals. */
export const transformRules: RuleTable = {
  DFT: [
    {
      since: 20,
      inputs: { input: dft, dft_length: stop("a length is an integer"), axis: stop("an axis is an integer") },
    },
  ],
}
