import { intAttribute, intsAttribute, stringAttribute } from "@tandem/onnx"
import { type Gradient, type RuleTable, stop } from "../Rule.ts"

/** Operators that only lay the same elements out anew: the gradient takes the operand's shape back. */
const relaid =
  (name: string): Gradient =>
  ({ g, in: inputs, dY }) =>
    g.reshape(dY, inputs[name]!.dims)

const shape = stop("a shape is made of integers")
const axes = stop("axes are integers")

const inverse = (perm: readonly number[]): readonly number[] => perm.map((_, index) => perm.indexOf(index))

const transpose: Gradient = ({ g, node, in: inputs, dY }) => {
  const rank = inputs["data"]!.dims.length
  return g.transpose(dY, inverse(intsAttribute(node, "perm") ?? [...Array(rank).keys()].reverse()))
}

/** Blocks of an image laid out as channels, or back: a transposition between two reshapes, undone. */
const blocks =
  (toDepth: boolean): Gradient =>
  ({ g, node, in: inputs, dY }) => {
    const { dims } = inputs["input"]!
    const [batch, channels, height, width] = [dims[0]!, dims[1]!, dims[2]!, dims[3]!]
    const b = intAttribute(node, "blocksize", 1)
    if (toDepth) {
      const moved = g.reshape(dY, [batch, b, b, channels, height / b, width / b])
      return g.reshape(g.transpose(moved, inverse([0, 3, 5, 1, 2, 4])), dims)
    }
    const inner = channels / (b * b)
    const columnsFirst = stringAttribute(node, "mode", "DCR") === "CRD"
    const moved = g.reshape(dY, [batch, inner, height, b, width, b])
    return g.reshape(g.transpose(moved, inverse(columnsFirst ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2])), dims)
  }

/** Gradients of operators that give the same elements another shape or order. */
export const shapeRules: RuleTable = {
  Reshape: [{ since: 5, inputs: { data: relaid("data"), shape } }],
  Flatten: [{ since: 1, inputs: { input: relaid("input") } }],
  Squeeze: [{ since: 1, inputs: { data: relaid("data"), axes } }],
  Unsqueeze: [{ since: 1, inputs: { data: relaid("data"), axes } }],
  // The walker sums over the axes along which the operand was repeated
  Expand: [{ since: 8, inputs: { input: ({ dY }) => dY, shape } }],
  Transpose: [{ since: 1, inputs: { data: transpose } }],
  DepthToSpace: [{ since: 1, inputs: { input: blocks(false) } }],
  SpaceToDepth: [{ since: 1, inputs: { input: blocks(true) } }],
}
