import { type RuleTable, stop, todo } from "../Rule.ts"

const shapeOnly = stop("only the shape of this operand counts")
const rounded = todo("activations that were quantised to whole numbers")
const setting = todo("what quantised numbers are scaled by is a setting")

/** A draw that only takes its shape from the operand. */
const draw: RuleTable[string] = [{ since: 1, inputs: { input: shapeOnly } }]

/** Operators that make numbers of a shape, of chance or of whole numbers, without a derivative by what they are made of. */
export const sourceRules: RuleTable = {
  Shape: [{ since: 1, inputs: { data: stop("a shape is made of integers") } }],
  Size: [{ since: 1, inputs: { data: stop("a size is an integer") } }],
  EyeLike: draw,
  RandomNormalLike: draw,
  RandomUniformLike: draw,
  Bernoulli: [{ since: 15, inputs: { input: stop("a draw is a truth value") } }],
  QuantizeLinear: [{ since: 10, inputs: { x: rounded, y_scale: setting, y_zero_point: setting } }],
  DynamicQuantizeLinear: [{ since: 11, inputs: { x: rounded } }],
  DequantizeLinear: [{ since: 10, inputs: { x: rounded, x_scale: setting, x_zero_point: setting } }],
}
