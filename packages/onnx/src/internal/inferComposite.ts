import { parseEinsum } from "../Einsum.ts"
import { type Dim, intAttribute, intsAttribute, staticDims, stringAttribute } from "../Graph.ts"
import { toNumbers } from "../Tensor.ts"
import { axisAt, fail, type Inference, typeAt } from "./application.ts"

/** The size of each label: that of an operand that is not broadcast. */
const einsum: Inference = (node) => {
  const operands = node.inputs.map((_, index) => typeAt(node, index))
  const type = operands[0]?.type
  if (operands.some(({ dims }) => dims === undefined)) return [{ type, dims: undefined }]
  const parsed = parseEinsum(
    stringAttribute(node, "equation", ""),
    operands.map(({ dims }) => dims?.length ?? 0),
  )
  const sizes = new Map<string, Dim>()
  for (const [index, labels] of parsed.operands.entries()) {
    for (const [axis, label] of labels.entries()) {
      const dim = operands[index]?.dims?.[axis] ?? 1
      const known = sizes.get(label)
      if (known === undefined || known === 1 || (typeof known === "string" && dim !== 1)) sizes.set(label, dim)
    }
  }
  return [{ type, dims: parsed.result.map((label) => sizes.get(label) ?? 1) }]
}

const topK: Inference = (node) => {
  const { type, dims } = typeAt(node, 0)
  const count = node.constant(node.inputs[1])
  const along = axisAt(intAttribute(node, "axis", -1), dims?.length ?? 0)
  const size: Dim = count === undefined ? "?k" : toNumbers(count)[0]!
  const taken = dims?.map((dim, axis) => (axis === along ? size : dim))
  return [
    { type, dims: taken },
    { type: "int64", dims: taken },
  ]
}

const pad: Inference = (node) => {
  const { type, dims } = typeAt(node, 0)
  const operand = node.constant(node.inputs[1])
  const axes = node.constant(node.inputs[3])
  const unread = node.inputs[3] !== undefined && axes === undefined
  if (dims === undefined || operand === undefined || unread) return [{ type, dims: undefined }]
  const pads = toNumbers(operand)
  const along = axes === undefined ? [...dims.keys()] : toNumbers(axes).map((axis) => axisAt(axis, dims.length))
  const result = dims.map((dim, axis): Dim => {
    const at = along.indexOf(axis)
    const added = at < 0 ? 0 : pads[at]! + pads[at + along.length]!
    return added === 0 ? dim : typeof dim === "number" ? dim + added : `?${axis}`
  })
  return [{ type, dims: result }]
}

/** A loss by class over scores `[N, C, …]` and labels `[N, …]`. */
const classLoss: Inference = (node) => {
  const scores = typeAt(node, 0)
  const each = stringAttribute(node, "reduction", "mean") === "none"
  const loss = { type: scores.type, dims: each ? typeAt(node, 1).dims : [] }
  return [loss, scores].slice(0, node.outputs)
}

/** `[N, C, H, W]` with blocks of an image moved to channels, or the reverse. */
const blocks =
  (toDepth: boolean): Inference =>
  (node) => {
    const { type, dims } = typeAt(node, 0)
    const [batch = 0, channels = 0, height = 0, width = 0] = staticDims(dims) ?? []
    if (staticDims(dims)?.length !== 4) return [{ type, dims: undefined }]
    const block = intAttribute(node, "blocksize", 1)
    return [
      {
        type,
        dims: toDepth
          ? [batch, channels * block * block, height / block, width / block]
          : [batch, channels / (block * block), height * block, width * block],
      },
    ]
  }

/** RMS normalisation with the inverse root of the mean square as second output. */
const rmsNormalization: Inference = (node) => {
  const { type, dims } = typeAt(node, 0)
  const from = axisAt(intAttribute(node, "axis", -1), dims?.length ?? 0)
  const inverse = { type: "float32" as const, dims: dims?.map((dim, axis) => (axis < from ? dim : 1)) }
  return [{ type, dims }, inverse].slice(0, node.outputs)
}

/** Outside training the statistics are operands and the result is the only output. */
const batchNormalization: Inference = (node) => {
  const statistics = { type: typeAt(node, 3).type, dims: typeAt(node, 3).dims }
  return [{ ...typeAt(node, 0) }, statistics, statistics].slice(0, node.outputs)
}

/** Complex numbers as a last axis of two; half of them where the operand is real and one side is asked for. */
const dft: Inference = (node) => {
  const { type, dims } = typeAt(node, 0)
  const operands = [1, 2].map((index) => node.constant(node.inputs[index]))
  const unread = operands.some((operand, index) => operand === undefined && node.inputs[index + 1] !== undefined)
  if (dims === undefined || unread) return [{ type, dims: undefined }]
  const [length, axis] = operands.map((operand) => (operand === undefined ? undefined : toNumbers(operand)[0]))
  const at = axisAt(axis ?? -2, dims.length)
  const size = length ?? dims[at] ?? "?n"
  const half = intAttribute(node, "onesided", 0) === 1
  const kept = !half ? size : typeof size === "number" ? Math.floor(size / 2) + 1 : "?half"
  return [{ type, dims: [...dims.slice(0, -1).with(at, kept), 2] }]
}

/** Sizes are given, or follow from scales in 32-bit floats, rounded down. */
const resize: Inference = (node) => {
  const { type, dims } = typeAt(node, 0)
  const [scales, sizes] = [2, 3].map((index) => {
    const operand = node.constant(node.inputs[index])
    return operand === undefined || operand.data.length === 0 ? undefined : toNumbers(operand)
  })
  const kept = stringAttribute(node, "keep_aspect_ratio_policy", "stretch") !== "stretch"
  if (dims === undefined || kept || (scales === undefined && sizes === undefined)) return [{ type, dims: undefined }]
  const axes = (intsAttribute(node, "axes") ?? [...dims.keys()]).map((axis) => axisAt(axis, dims.length))
  const result = dims.map((dim, axis): Dim => {
    const at = axes.indexOf(axis)
    if (at < 0) return dim
    if (sizes !== undefined) return sizes[at] ?? dim
    const scale = scales?.[at] ?? 1
    return typeof dim === "number" ? Math.floor(Math.fround(dim * scale)) : scale === 1 ? dim : `?${axis}`
  })
  return [{ type, dims: result }]
}

/** A product by a matrix in blocks, whose attributes tell its shape. */
const matMulNBits: Inference = (node) => {
  const { type, dims } = typeAt(node, 0)
  const [inputs, outputs] = [intAttribute(node, "K", 0), intAttribute(node, "N", 0)]
  const inner = dims?.at(-1)
  if (typeof inner === "number" && inner !== inputs) fail(node, `rows of ${inputs} numbers`)
  return [{ type, dims: dims === undefined ? undefined : [...dims.slice(0, -1), outputs] }]
}

/** Rows of a table in blocks, several numbers in a byte along its last axis. */
const gatherBlockQuantized: Inference = (node) => {
  const { type, dims } = typeAt(node, 0)
  const indices = typeAt(node, 1).dims
  const scales = typeAt(node, 2).type
  const perByte = type === "uint8" ? 8 / intAttribute(node, "bits", 4) : 1
  const width = dims?.at(-1)
  if (dims === undefined || indices === undefined || typeof width !== "number")
    return [{ type: scales, dims: undefined }]
  const along = axisAt(intAttribute(node, "gather_axis", 0), dims.length)
  const unpacked = dims.with(-1, width * perByte)
  return [{ type: scales, dims: [...unpacked.slice(0, along), ...indices, ...unpacked.slice(along + 1)] }]
}

/** Operators that do several things at once. */
export const compositeInference: Readonly<Record<string, Inference>> = {
  Einsum: einsum,
  DFT: dft,
  TopK: topK,
  Pad: pad,
  Resize: resize,
  SoftmaxCrossEntropyLoss: classLoss,
  NegativeLogLikelihoodLoss: classLoss,
  SpaceToDepth: blocks(true),
  DepthToSpace: blocks(false),
  SimplifiedLayerNormalization: rmsNormalization,
  BatchNormalization: batchNormalization,
  MatMulNBits: matMulNBits,
  GatherBlockQuantized: gatherBlockQuantized,
}
