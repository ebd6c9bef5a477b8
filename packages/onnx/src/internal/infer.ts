import { type Dim, type Dims, intAttribute, intsAttribute, staticDims } from "../Graph.ts"
import { elementCount, toNumbers } from "../Tensor.ts"
import {
  type Application,
  axisAt as axis,
  fail,
  type Inference as Rule,
  typeAt,
  unknown,
  type ValueType,
} from "./application.ts"
import { compositeInference } from "./inferComposite.ts"
import { windowInference } from "./inferWindows.ts"
import { typeNames } from "./types.ts"

/** Shape of an elementwise result under ONNX's multidirectional broadcasting; undefined where it cannot be told. */
export const broadcastDims = (shapes: readonly (Dims | undefined)[]): Dims | undefined => {
  let result: Dims = []
  for (const shape of shapes) {
    if (shape === undefined) return undefined
    const rank = Math.max(result.length, shape.length)
    const merged: Dim[] = []
    for (let axis = 0; axis < rank; axis++) {
      const a: Dim = result[axis - rank + result.length] ?? 1
      const b: Dim = shape[axis - rank + shape.length] ?? 1
      if (a === b || b === 1) merged.push(a)
      else if (a === 1) merged.push(b)
      else if (typeof a === "string" && typeof b === "number") merged.push(b)
      else if (typeof b === "string" && typeof a === "number") merged.push(a)
      else if (typeof a === "string" && typeof b === "string") merged.push(`?${axis}`)
      else return undefined
    }
    result = merged
  }
  return result
}

const broadcast = (node: Application, values: readonly ValueType[]): Dims | undefined => {
  const dims = broadcastDims(values.map((value) => value.dims))
  if (dims === undefined && values.every((value) => staticDims(value.dims) !== undefined)) {
    fail(node, "shapes that broadcast to one another")
  }
  return dims
}

const same: Rule = (node) => [typeAt(node, 0)]
const elementwise: Rule = (node) => {
  const values = node.inputs.map((_, index) => typeAt(node, index))
  const types = new Set(values.map((value) => value.type).filter((type) => type !== undefined))
  if (types.size > 1) fail(node, "operands of one element type")
  return [{ type: values[0]?.type, dims: broadcast(node, values) }]
}
const comparison: Rule = (node) => elementwise(node).map(({ dims }) => ({ type: "bool", dims }))

const reduction: Rule = (node) => {
  const { type, dims } = typeAt(node, 0)
  if (dims === undefined) return [{ type, dims: undefined }]
  const operand = node.constant(node.inputs[1])
  if (node.inputs[1] !== undefined && operand === undefined) return [{ type, dims: undefined }]
  const listed = operand === undefined ? intsAttribute(node, "axes") : toNumbers(operand)
  const none = listed === undefined || listed.length === 0
  if (none && intAttribute(node, "noop_with_empty_axes", 0) === 1) return [{ type, dims }]
  const axes = new Set(none ? dims.keys() : listed.map((value) => axis(value, dims.length)))
  const keep = intAttribute(node, "keepdims", 1) === 1
  return [{ type, dims: keep ? dims.map((dim, i) => (axes.has(i) ? 1 : dim)) : dims.filter((_, i) => !axes.has(i)) }]
}

const swapLast = (dims: Dims): Dims => [...dims.slice(0, -2), ...dims.slice(-1), ...dims.slice(-2, -1)]

const matmul: Rule = (node) => {
  const a = typeAt(node, 0)
  const b = typeAt(node, 1)
  if (a.dims === undefined || b.dims === undefined) return [{ type: a.type, dims: undefined }]
  const left = intAttribute(node, "transA", 0) === 1 ? swapLast(a.dims) : a.dims
  const right = intAttribute(node, "transB", 0) === 1 ? swapLast(b.dims) : b.dims
  if (left.length === 0 || right.length === 0) fail(node, "operands of rank 1 or more")
  const inner = left.at(-1)
  const innerRight = right.length === 1 ? right[0] : right.at(-2)
  if (typeof inner === "number" && typeof innerRight === "number" && inner !== innerRight) {
    fail(node, "inner dimensions that agree")
  }
  const batch = broadcastDims([left.slice(0, -2), right.slice(0, -2)])
  if (batch === undefined) return [{ type: a.type, dims: undefined }]
  const rows = left.length === 1 ? [] : left.slice(-2, -1)
  const columns = right.length === 1 ? [] : right.slice(-1)
  return [{ type: a.type, dims: [...batch, ...rows, ...columns] }]
}

/** More axes than any tensor has. */
const highestRank = 1024

/** A shape of which only the number of axes is known, by the length of the operand that names it. */
const rankOnly = (node: Application, rank: Dim | undefined): Dims | undefined => {
  if (typeof rank !== "number") return undefined
  if (rank > highestRank) fail(node, `a shape of at most ${highestRank} axes`)
  return Array.from({ length: rank }, (_, i) => `?${i}`)
}

const reshape: Rule = (node) => {
  const { type, dims } = typeAt(node, 0)
  const shape = node.constant(node.inputs[1])
  if (shape === undefined) return [{ type, dims: rankOnly(node, typeAt(node, 1).dims?.[0]) }]
  const target = toNumbers(shape)
  const keepsZero = intAttribute(node, "allowzero", 0) === 1
  const result: Dim[] = target.map((size, i) => (size === 0 && !keepsZero ? (dims?.[i] ?? `?${i}`) : size))
  const hole = target.indexOf(-1)
  if (hole >= 0) {
    const rest = result.filter((_, i) => i !== hole)
    result[hole] = missingDim(dims, rest) ?? `?${hole}`
  }
  const known = staticDims(result)
  const source = staticDims(dims)
  if (known !== undefined && source !== undefined && elementCount(known) !== elementCount(source)) {
    fail(node, `a shape of as many elements as the input; asked for [${target}]`)
  }
  return [{ type, dims: result }]
}

/** The one dimension that makes `rest` cover `source`, where it is a number or a symbol that stands in both. */
const missingDim = (source: Dims | undefined, rest: readonly Dim[]): Dim | undefined => {
  if (source === undefined) return undefined
  const symbols = source.filter((dim) => typeof dim === "string")
  for (const dim of rest) {
    const at = typeof dim === "string" ? symbols.indexOf(dim) : -1
    if (at >= 0) symbols.splice(at, 1)
  }
  const numbers = (dims: readonly Dim[]) => elementCount(dims.filter((dim) => typeof dim === "number"))
  const size = numbers(source) / numbers(rest)
  if (symbols.length === 0) return numbers(rest) === 0 ? undefined : size
  return symbols.length === 1 && size === 1 ? symbols[0] : undefined
}

const transpose: Rule = (node) => {
  const { type, dims } = typeAt(node, 0)
  if (dims === undefined) return [{ type, dims }]
  const perm = intsAttribute(node, "perm") ?? [...dims.keys()].reverse()
  if (perm.length !== dims.length || dims.some((_, i) => !perm.includes(i))) {
    fail(node, `a permutation of ${dims.length} axes, got [${perm}]`)
  }
  return [{ type, dims: perm.map((i) => dims[i]!) }]
}

const axesOperand = (node: Application): readonly number[] | undefined => {
  const operand = node.constant(node.inputs[1])
  return operand === undefined ? intsAttribute(node, "axes") : toNumbers(operand)
}

const unsqueeze: Rule = (node) => {
  const { type, dims } = typeAt(node, 0)
  const axes = axesOperand(node)
  if (dims === undefined || axes === undefined) return [{ type, dims: undefined }]
  const rank = dims.length + axes.length
  const added = new Set(axes.map((value) => axis(value, rank)))
  const rest = [...dims]
  return [{ type, dims: Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : (rest.shift() ?? 1))) }]
}

const squeeze: Rule = (node) => {
  const { type, dims } = typeAt(node, 0)
  if (dims === undefined || (node.inputs[1] !== undefined && node.constant(node.inputs[1]) === undefined)) {
    return [{ type, dims: undefined }]
  }
  const axes = axesOperand(node)?.map((value) => axis(value, dims.length))
  if (axes === undefined && staticDims(dims) === undefined) return [{ type, dims: undefined }]
  return [{ type, dims: dims.filter((dim, i) => (axes === undefined ? dim !== 1 : !axes.includes(i))) }]
}

const expand: Rule = (node) => {
  const { type, dims } = typeAt(node, 0)
  const shape = node.constant(node.inputs[1])
  const target = shape === undefined ? rankOnly(node, typeAt(node, 1).dims?.[0]) : toNumbers(shape)
  return [{ type, dims: broadcastDims([dims, target]) }]
}

const concat: Rule = (node) => {
  const { type, dims } = typeAt(node, 0)
  if (dims === undefined) return [{ type, dims }]
  const along = axis(intAttribute(node, "axis", 0), dims.length)
  const sizes = node.inputs.map((value) => value?.dims?.[along])
  const numbers = sizes.filter((size) => typeof size === "number")
  const total = numbers.length < sizes.length ? `?${along}` : numbers.reduce((sum, size) => sum + size, 0)
  return [{ type, dims: dims.map((dim, i) => (i === along ? total : dim)) }]
}

const split: Rule = (node) => {
  const { type, dims } = typeAt(node, 0)
  const nothing = Array.from({ length: node.outputs }, () => ({ type, dims: undefined }))
  if (dims === undefined) return nothing
  const along = axis(intAttribute(node, "axis", 0), dims.length)
  const whole = dims[along]
  const operand = node.constant(node.inputs[1])
  if (node.inputs[1] !== undefined && operand === undefined) return nothing
  const parts = operand === undefined ? intsAttribute(node, "split") : toNumbers(operand)
  if (parts === undefined && typeof whole !== "number") return nothing
  const chunk = typeof whole === "number" ? Math.ceil(whole / node.outputs) : 0
  const sizes =
    parts ?? nothing.map((_, i) => (i < node.outputs - 1 ? chunk : (typeof whole === "number" ? whole : 0) - i * chunk))
  return sizes.map((size) => ({ type, dims: dims.map((dim, i) => (i === along ? size : dim)) }))
}

const slice: Rule = (node) => {
  const { type, dims } = typeAt(node, 0)
  const read = (index: number): number[] | undefined => {
    const operand = node.constant(node.inputs[index])
    return operand === undefined ? undefined : toNumbers(operand)
  }
  const starts = read(1)
  const ends = read(2)
  if (dims === undefined) return [{ type, dims }]
  if (starts === undefined || ends === undefined) {
    const cut = node.inputs[3] === undefined ? undefined : read(3)?.map((value) => axis(value, dims.length))
    return [{ type, dims: dims.map((dim, i) => (cut?.includes(i) === false ? dim : `?${i}`)) }]
  }
  const axes = read(3) ?? [...starts.keys()]
  const steps = read(4) ?? starts.map(() => 1)
  if ([ends, axes, steps].some((list) => list.length !== starts.length) || steps.includes(0)) {
    fail(node, "as many starts, ends, axes and steps, and no step of 0")
  }
  const result = [...dims]
  for (const [i, raw] of axes.entries()) {
    const at = axis(raw, dims.length)
    const size = dims[at]
    const step = steps[i]!
    if (typeof size !== "number") {
      const whole = starts[i] === 0 && ends[i]! >= Number.MAX_SAFE_INTEGER && step === 1
      result[at] = whole ? (size ?? `?${at}`) : `?${at}`
      continue
    }
    const clamp = (value: number, low: number, high: number) =>
      Math.min(Math.max(value < 0 ? value + size : value, low), high)
    const start = step > 0 ? clamp(starts[i]!, 0, size) : clamp(starts[i]!, 0, size - 1)
    const end = step > 0 ? clamp(ends[i]!, 0, size) : clamp(ends[i]!, -1, size - 1)
    result[at] = Math.max(0, Math.ceil((end - start) / step))
  }
  return [{ type, dims: result }]
}

const tile: Rule = (node) => {
  const { type, dims } = typeAt(node, 0)
  const repeats = node.constant(node.inputs[1])
  if (dims === undefined || repeats === undefined) return [{ type, dims: undefined }]
  const times = toNumbers(repeats)
  return [
    { type, dims: dims.map((dim, i) => (typeof dim === "number" ? dim * times[i]! : times[i] === 1 ? dim : `?${i}`)) },
  ]
}

const gather: Rule = (node) => {
  const data = typeAt(node, 0)
  const indices = typeAt(node, 1)
  if (data.dims === undefined || indices.dims === undefined) return [{ type: data.type, dims: undefined }]
  const along = axis(intAttribute(node, "axis", 0), data.dims.length)
  return [{ type: data.type, dims: [...data.dims.slice(0, along), ...indices.dims, ...data.dims.slice(along + 1)] }]
}

const gatherNd: Rule = (node) => {
  const data = typeAt(node, 0)
  const indices = typeAt(node, 1)
  const depth = indices.dims?.at(-1)
  if (data.dims === undefined || indices.dims === undefined || typeof depth !== "number") {
    return [{ type: data.type, dims: undefined }]
  }
  const from = intAttribute(node, "batch_dims", 0) + depth
  if (from > data.dims.length) fail(node, `indices of at most ${data.dims.length} numbers`)
  return [{ type: data.type, dims: [...indices.dims.slice(0, -1), ...data.dims.slice(from)] }]
}

const range: Rule = (node) => {
  const bounds = [0, 1, 2].map((index) => node.constant(node.inputs[index]))
  const [start, limit, delta] = bounds.map((bound) => (bound === undefined ? undefined : toNumbers(bound)[0]))
  const known = start !== undefined && limit !== undefined && delta !== undefined && delta !== 0
  const count = known ? Math.max(0, Math.ceil((limit - start) / delta)) : "?0"
  return [{ type: typeAt(node, 0).type, dims: [count] }]
}

/** As many elements as the operand says. */
const sizedWindow: Rule = (node) => {
  const size = node.constant(node.inputs[0])
  const type = typeNames.get(intAttribute(node, "output_datatype", 1))
  return [{ type, dims: [size === undefined ? "?0" : toNumbers(size)[0]!] }]
}

/** One more axis, as long as the operand says. */
const oneHot: Rule = (node) => {
  const indices = typeAt(node, 0).dims
  const depth = node.constant(node.inputs[1])
  const at = axis(intAttribute(node, "axis", -1), (indices?.length ?? 0) + 1)
  const size = depth === undefined ? "?depth" : toNumbers(depth)[0]!
  return [{ type: typeAt(node, 2).type, dims: indices?.toSpliced(at, 0, size) }]
}

const layerNormalization: Rule = (node) => {
  const { type, dims } = typeAt(node, 0)
  const from = dims === undefined ? 0 : axis(intAttribute(node, "axis", -1), dims.length)
  const statistics = { type, dims: dims?.map((dim, i) => (i < from ? dim : 1)) }
  return [{ type, dims }, statistics, statistics].slice(0, node.outputs)
}

const cast: Rule = (node) => [{ type: typeNames.get(intAttribute(node, "to", 0)), dims: node.inputs[0]?.dims }]

/** The part of a shape that a `Shape` node of opset 15 or later gives, as bounds of a slice. */
export const shapeBounds = (node: Pick<Application, "attributes">, rank: number): readonly [number, number] => {
  const clamp = (value: number) => Math.min(Math.max(axis(value, rank), 0), rank)
  return [clamp(intAttribute(node, "start", 0)), clamp(intAttribute(node, "end", rank))]
}

const constantOfShape: Rule = (node) => {
  const shape = node.constant(node.inputs[0])
  const value = node.attributes["value"]
  const type = value?.kind === "tensor" ? value.value.type : "float32"
  return [{ type, dims: shape === undefined ? undefined : toNumbers(shape) }]
}

const rules: ReadonlyMap<string, Rule> = new Map<string, Rule>(
  Object.entries({
    ...Object.fromEntries(
      [
        "Neg Sqrt Exp Log Erf Tanh Sigmoid Relu Abs Identity Gelu Reciprocal Sin Cos Softmax LogSoftmax Not Floor Ceil",
        "Sign QuickGelu FastGelu ScatterND ScatterElements HardSigmoid Clip CumSum Trilu Round Tan Asin Acos Atan Sinh",
        "Cosh Asinh Acosh Atanh Elu Selu Celu LeakyRelu ThresholdedRelu PRelu HardSwish Mish Softplus Softsign Shrink",
        "Hardmax BiasGelu LpNormalization InstanceNormalization GroupNormalization MeanVarianceNormalization",
        "ReverseSequence RandomNormalLike RandomUniformLike EyeLike",
      ]
        .join(" ")
        .split(" ")
        .map((op) => [op, same]),
    ),
    ...Object.fromEntries("Add Sub Mul Div Min Max Sum Mean And Or Xor Mod".split(" ").map((op) => [op, elementwise])),
    ...Object.fromEntries("Equal Greater Less GreaterOrEqual LessOrEqual".split(" ").map((op) => [op, comparison])),
    ...Object.fromEntries(
      "ReduceSum ReduceMean ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSumExp ReduceLogSum"
        .split(" ")
        .map((op) => [op, reduction]),
    ),
    IsNaN: (node) => [{ type: "bool", dims: node.inputs[0]?.dims }],
    IsInf: (node) => [{ type: "bool", dims: node.inputs[0]?.dims }],
    CastLike: (node) => [{ type: typeAt(node, 1).type, dims: typeAt(node, 0).dims }],
    Where: (node) => [
      {
        type: node.inputs[1]?.type,
        dims: broadcast(
          node,
          node.inputs.map((_, index) => typeAt(node, index)),
        ),
      },
    ],
    Dropout: (node) => [typeAt(node, 0), { type: "bool" as const, dims: node.inputs[0]?.dims }].slice(0, node.outputs),
    Shape: (node) => {
      const { dims } = typeAt(node, 0)
      if (dims === undefined) return [{ type: "int64", dims: undefined }]
      return [{ type: "int64", dims: [dims.slice(...shapeBounds(node, dims.length)).length] }]
    },
    Pow: (node) => [{ type: typeAt(node, 0).type, dims: broadcast(node, [typeAt(node, 0), typeAt(node, 1)]) }],
    DequantizeLinear: (node) => [{ type: typeAt(node, 1).type, dims: typeAt(node, 0).dims }],
    Size: () => [{ type: "int64", dims: [] }],
    Range: range,
    GatherElements: (node) => [{ type: node.inputs[0]?.type, dims: node.inputs[1]?.dims }],
    MatMul: matmul,
    FusedMatMul: matmul,
    Gemm: matmul,
    Reshape: reshape,
    Flatten: (node) => {
      const { type, dims } = typeAt(node, 0)
      const known = staticDims(dims)
      if (known === undefined) return [{ type, dims: undefined }]
      const at = axis(intAttribute(node, "axis", 1), known.length)
      return [{ type, dims: [elementCount(known.slice(0, at)), elementCount(known.slice(at))] }]
    },
    Transpose: transpose,
    Unsqueeze: unsqueeze,
    Squeeze: squeeze,
    Expand: expand,
    Concat: concat,
    Split: split,
    Slice: slice,
    Gather: gather,
    GatherND: gatherNd,
    Tile: tile,
    OneHot: oneHot,
    LayerNormalization: layerNormalization,
    Cast: cast,
    ConstantOfShape: constantOfShape,
    ...compositeInference,
    ...windowInference,
    ArgMax: (node) =>
      reduction({
        ...node,
        attributes: { ...node.attributes, axes: { kind: "ints", value: [intAttribute(node, "axis", 0)] } },
      }).map(({ dims }) => ({ type: "int64", dims })),
    ...Object.fromEntries("HannWindow HammingWindow BlackmanWindow".split(" ").map((op) => [op, sizedWindow])),
    DynamicQuantizeLinear: (node) => [
      { type: "uint8", dims: node.inputs[0]?.dims },
      { type: "float32", dims: [] },
      { type: "uint8", dims: [] },
    ],
    MatMulInteger: (node) => matmul(node).map(({ dims }) => ({ type: "int32", dims })),
  }),
)

const impossible = (dim: Dim | undefined): boolean =>
  typeof dim === "number" ? !Number.isSafeInteger(dim) || dim < 0 : dim === undefined

/** Whether the number of elements, and of their bytes, can be told. */
const isCountable = (dims: Dims | undefined): boolean =>
  8 * (dims ?? []).reduce<number>((product, dim) => product * (typeof dim === "number" ? dim : 1), 1) <=
  Number.MAX_SAFE_INTEGER

/** Types and shapes of a node's outputs, as far as they follow from its operands; contradictions are `InvalidGraph`. */
export const inferTypes = (node: Application): readonly ValueType[] => {
  const result = rules.get(node.op)?.(node) ?? []
  for (const { dims } of result) {
    if (dims?.some(impossible) || !isCountable(dims)) fail(node, `a shape, not [${dims}]`)
  }
  return Array.from({ length: node.outputs }, (_, index) => result[index] ?? unknown)
}

/** The shape of which more is known, where two descriptions of one value are at hand. */
export const moreStatic = (a: Dims | undefined, b: Dims | undefined): Dims | undefined => {
  if (a === undefined || b === undefined || a.length !== b.length) return a ?? b
  return a.map((dim, index) =>
    typeof dim === "number" || (!dim.startsWith("?") && typeof b[index] !== "number") ? dim : b[index]!,
  )
}

/** Operators whose types and shapes are inferred. */
export const inferredOperators: readonly string[] = [...rules.keys()]
