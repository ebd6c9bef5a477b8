import { UnsupportedModel } from "../Errors.ts"
import {
  type Attributes,
  floatAttribute,
  int,
  intAttribute,
  intsAttribute,
  type Node,
  string,
  stringAttribute,
  type Value,
} from "../Graph.ts"
import { type ElementType, float32, int64, type Tensor } from "../Tensor.ts"
import { toBfloat16, toFloat16 } from "./half.ts"

/** What a conversion may use besides the node. */
export interface ConversionContext {
  /** The operator set that the graph was written for. */
  readonly version: number
  /** Stores a tensor with the graph and gives its name. */
  readonly constant: (value: Tensor, stem: string) => string
  readonly fresh: (stem: string) => string
  readonly describe: (name: string) => Value
}

/** A node of ONNX's own operator set with one output, by which it is named. */
const made = (op: string, inputs: readonly string[], output: string, attributes: Attributes = {}): Node => ({
  op,
  domain: "",
  name: output,
  inputs,
  outputs: [output],
  attributes,
})

type Convert = (node: Node, context: ConversionContext) => readonly Node[]

/** A change of some operators' form: it concerns graphs older than `before`, or those of `from` and later. */
export interface Conversion {
  readonly ops: readonly string[]
  readonly before?: number
  readonly from?: number
  readonly convert: Convert
}

const without = (attributes: Attributes, ...names: readonly string[]): Attributes =>
  Object.fromEntries(Object.entries(attributes).filter(([name]) => !names.includes(name)))

const withInput = (node: Node, index: number, name: string): readonly string[] => {
  const inputs = [...node.inputs]
  while (inputs.length < index) inputs.push("")
  inputs[index] = name
  return inputs
}

const indices = (values: readonly number[]): Tensor => int64([values.length], values)

/** A rank-0 tensor of a floating-point type; what is not known to be another is `float32`. */
const scalar = (type: ElementType | undefined, value: number): Tensor => {
  if (type === "float16") return { type, dims: [], data: Uint16Array.of(toFloat16(value)) }
  if (type === "bfloat16") return { type, dims: [], data: Uint16Array.of(toBfloat16(value)) }
  if (type === "float64") return { type, dims: [], data: Float64Array.of(value) }
  return float32([], [value])
}

/** A list of integers that became an input. */
const listToInput =
  (attribute: string, index: number): Convert =>
  (node, { constant }) => {
    const values = intsAttribute(node, attribute)
    if (values === undefined) return [node]
    const inputs = withInput(node, index, constant(indices(values), `${node.name}/${attribute}`))
    return [{ ...node, inputs, attributes: without(node.attributes, attribute) }]
  }

/** A number that became an input of the type of the first. */
const scalarToInput =
  (attribute: string, index: number): Convert =>
  (node, { constant, describe }) => {
    if (node.attributes[attribute] === undefined) return [node]
    const tensor = scalar(describe(node.inputs[0] ?? "").type, floatAttribute(node, attribute, 0))
    const inputs = withInput(node, index, constant(tensor, `${node.name}/${attribute}`))
    return [{ ...node, inputs, attributes: without(node.attributes, attribute) }]
  }

/** Several conversions of one node, one after another. */
const inTurn =
  (...steps: readonly Convert[]): Convert =>
  (node, context) =>
    steps.reduce<readonly Node[]>((nodes, step) => nodes.flatMap((each) => step(each, context)), [node])

const refuse =
  (why: string, applies: (node: Node) => boolean = () => true): Convert =>
  (node, { version }) => {
    if (!applies(node)) return [node]
    throw new UnsupportedModel({
      message: `node ${node.name} (${node.op}, opset ${version}) cannot be converted: ${why}`,
      node: node.name,
      found: `${node.op}, opset ${version}`,
    })
  }

/** Before 13, `Softmax` and its kin worked on the input seen as a matrix, split before `axis`, which was 1. */
const flattenedSoftmax: Convert = (node, { fresh, describe }) => {
  const axis = intAttribute(node, "axis", 1)
  const x = node.inputs[0] ?? ""
  const y = node.outputs[0] ?? ""
  const rank = describe(x).dims?.length
  const last = { ...node, attributes: { ...node.attributes, axis: int(-1) } }
  if (axis === -1 || (rank !== undefined && axis === rank - 1)) return [last]
  const [shape, matrix, result] = [fresh(`${y}/shape`), fresh(`${y}/matrix`), fresh(`${y}/softmax`)]
  return [
    made("Shape", [x], shape),
    made("Flatten", [x], matrix, { axis: int(axis) }),
    { ...last, inputs: [matrix], outputs: [result] },
    made("Reshape", [result, shape], y),
  ]
}

/** From 18 on, a `Split` into equal parts says how many. */
const splitCount: Convert = (node) =>
  (node.inputs[1] ?? "") !== ""
    ? [node]
    : [{ ...node, attributes: { ...node.attributes, num_outputs: int(node.outputs.length) } }]

const gridSampleModes = new Map([
  ["bilinear", "linear"],
  ["bicubic", "cubic"],
])

/** Every change of an operator's form between the sets that are read and opset 20, oldest first. */
export const conversions: readonly Conversion[] = [
  {
    ops: ["BatchNormalization"],
    before: 9,
    convert: refuse("statistics by element are gone since opset 9", (node) => intAttribute(node, "spatial", 1) === 0),
  },
  { ops: ["Scan"], before: 9, convert: refuse("it took a batch before opset 9") },
  { ops: ["Upsample", "Resize", "Scatter"], before: 11, convert: refuse("it was replaced in opset 11") },
  {
    ops: ["TopK"],
    before: 10,
    convert: (node, { constant }) => [
      {
        ...node,
        inputs: withInput(node, 1, constant(indices([intAttribute(node, "k", 1)]), `${node.name}/k`)),
        attributes: without(node.attributes, "k"),
      },
    ],
  },
  {
    ops: ["Slice"],
    before: 10,
    convert: inTurn(listToInput("starts", 1), listToInput("ends", 2), listToInput("axes", 3)),
  },
  { ops: ["Clip"], before: 11, convert: inTurn(scalarToInput("min", 1), scalarToInput("max", 2)) },
  { ops: ["Pad"], before: 11, convert: inTurn(listToInput("pads", 1), scalarToInput("value", 2)) },
  { ops: ["Dropout"], before: 12, convert: scalarToInput("ratio", 1) },
  { ops: ["Softmax", "LogSoftmax", "Hardmax"], before: 13, convert: flattenedSoftmax },
  { ops: ["ReduceSum", "Squeeze", "Unsqueeze"], before: 13, convert: listToInput("axes", 1) },
  { ops: ["Split"], before: 13, convert: listToInput("split", 1) },
  {
    ops: ["Resize"],
    before: 13,
    convert: refuse(
      "tf_half_pixel_for_nn is gone since opset 13",
      (node) => stringAttribute(node, "coordinate_transformation_mode", "") === "tf_half_pixel_for_nn",
    ),
  },
  {
    ops: ["BatchNormalization"],
    before: 14,
    convert: refuse("its training outputs changed in opset 14", (node) => node.outputs.length > 1),
  },
  {
    ops: ["RoiAlign"],
    before: 16,
    convert: (node) => [
      { ...node, attributes: { ...node.attributes, coordinate_transformation_mode: string("output_half_pixel") } },
    ],
  },
  { ops: ["Split"], before: 18, convert: splitCount },
  {
    ops: "ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp".split(
      " ",
    ),
    before: 18,
    convert: listToInput("axes", 1),
  },
  {
    ops: ["GridSample"],
    before: 20,
    convert: (node) => {
      const mode = stringAttribute(node, "mode", "bilinear")
      return [{ ...node, attributes: { ...node.attributes, mode: string(gridSampleModes.get(mode) ?? mode) } }]
    },
  },
  {
    ops: ["DFT"],
    before: 20,
    convert: (node, { constant }) => [
      {
        ...node,
        inputs: withInput(node, 2, constant(int64([], [intAttribute(node, "axis", 1)]), `${node.name}/axis`)),
        attributes: without(node.attributes, "axis"),
      },
    ],
  },
  {
    ops: ["QuantizeLinear", "DequantizeLinear"],
    from: 21,
    convert: refuse(
      "opset 20 has neither blocks nor a chosen output type for it",
      (node) => intAttribute(node, "block_size", 0) !== 0 || intAttribute(node, "output_dtype", 0) !== 0,
    ),
  },
  { ops: ["GroupNormalization"], from: 21, convert: refuse("its scale is per channel since opset 21") },
  { ops: ["TensorScatter"], from: 24, convert: refuse("opset 20 does not have it") },
  {
    ops: ["Cast", "CastLike"],
    from: 24,
    convert: (node) => [{ ...node, attributes: without(node.attributes, "round_mode") }],
  },
]
