import { floatAttribute, intAttribute, type Node, staticDims, stringAttribute, type Value } from "../Graph.ts"
import type { GraphBuilder } from "../GraphBuilder.ts"
import { elementCount, int32, toInt32, toNumbers } from "../Tensor.ts"

/** A node to be put in terms of other operators, with its operands as they are in the new graph. */
interface Application {
  readonly g: GraphBuilder
  readonly node: Node
  readonly operands: readonly (Value | undefined)[]
}

/** The values that stand for the node's outputs, or undefined where the node is to stay as it is. */
type Lowering = (application: Application) => readonly (Value | undefined)[] | undefined

/** A lowering of an operator with one output whose first operand is there. */
const unary =
  (form: (g: GraphBuilder, x: Value, node: Node) => Value | undefined): Lowering =>
  ({ g, node, operands: [x] }) => {
    const result = x === undefined ? undefined : form(g, x, node)
    return result === undefined ? undefined : [result]
  }

const binary =
  (form: (g: GraphBuilder, a: Value, b: Value, node: Node) => Value | undefined): Lowering =>
  ({ g, node, operands: [a, b] }) => {
    const result = a === undefined || b === undefined ? undefined : form(g, a, b, node)
    return result === undefined ? undefined : [result]
  }

const one = (g: GraphBuilder, op: string, inputs: readonly (Value | undefined)[]): Value => g.op(op, inputs)[0]!

/** A rank-0 constant of another value's type. */
const like = (g: GraphBuilder, x: Value, value: number): Value => g.cast(g.scalar(value), x.type ?? "float32")

// Truth values: the provider has And and Not alone
const not = (g: GraphBuilder, a: Value): Value => one(g, "Not", [a])
const and = (g: GraphBuilder, a: Value, b: Value): Value => one(g, "And", [a, b])
const or = (g: GraphBuilder, a: Value, b: Value): Value => not(g, and(g, not(g, a), not(g, b)))
const exclusive = (g: GraphBuilder, a: Value, b: Value): Value => and(g, or(g, a, b), not(g, and(g, a, b)))

/** A constant 32-bit integer. */
const whole = (g: GraphBuilder, value: number): Value => g.constant(int32([], [value]))

const isWhole = ({ type }: Value): boolean => type === "int32" || type === "uint32"

/** log Σ exp x = m + log Σ exp(x − m), m = max x: no exponential overflows. */
const logSumExp = (g: GraphBuilder, x: Value, axes: readonly number[]): Value => {
  const largest = g.reduceMax(x, axes)
  return g.add(largest, g.log(g.reduceSum(g.exp(g.sub(x, largest)), axes)))
}

const logSoftmax = (g: GraphBuilder, x: Value, axis: number): Value => {
  const shifted = g.sub(x, g.reduceMax(x, [axis]))
  return g.sub(shifted, g.log(g.reduceSum(g.exp(shifted), [axis])))
}

const reduceLogSumExp: Lowering = ({ g, node, operands: [x, axes] }) => {
  const listed = axes === undefined ? undefined : g.constantOf(axes)
  if (x?.type !== "float32" || (axes !== undefined && listed === undefined)) return undefined
  const along = listed === undefined ? [] : toNumbers(listed)
  if (along.length === 0 && intAttribute(node, "noop_with_empty_axes", 0) === 1) return [x]
  const kept = logSumExp(g, x, along)
  if (intAttribute(node, "keepdims", 1) === 1) return [kept]
  const rank = x.dims?.length
  if (along.length === 0) return rank === undefined ? undefined : [g.squeeze(kept, [...Array(rank).keys()])]
  return [g.squeeze(kept, along)]
}

/**
 * The loss of class scores `[batch, classes, …]` or of their log-probabilities; labels `[batch, …]`. Labels that are to
 * be ignored weigh nothing.
 */
const classLoss =
  (takesScores: boolean): Lowering =>
  ({ g, node, operands: [scores, labels, weights] }) => {
    const dims = staticDims(labels?.dims)
    if (scores === undefined || labels === undefined || dims === undefined) return undefined
    const logs = takesScores ? logSoftmax(g, scores, 1) : scores
    const ignored = node.attributes["ignore_index"]
    const kept = ignored?.kind === "int" ? g.op("Not", [g.equal(labels, whole(g, ignored.value))])[0] : undefined
    const safe = kept === undefined ? labels : g.where(kept, labels, whole(g, 0))
    const places = g.reshape(safe, [dims[0] ?? 1, 1, ...dims.slice(1)])
    const axis = { attributes: { axis: { kind: "int", value: 1 } as const } }
    const picked = g.reshape(g.op("GatherElements", [logs, places], axis)[0]!, dims)
    const given = weights === undefined ? undefined : g.gather(weights, safe)
    const weight = kept === undefined ? given : g.where(kept, given ?? like(g, logs, 1), like(g, logs, 0))
    const losses = g.neg(weight === undefined ? picked : g.mul(picked, weight))
    const reduction = stringAttribute(node, "reduction", "mean")
    const second = takesScores ? [logs] : []
    if (reduction === "none") return [losses, ...second]
    const all = [...dims.keys()]
    const sum = g.reduceSum(losses, all, false)
    if (reduction === "sum") return [sum, ...second]
    const total = weight === undefined ? like(g, logs, elementCount(dims)) : g.reduceSum(weight, all, false)
    return [g.div(sum, total), ...second]
  }

/** `on` where a class is the index, `off` elsewhere; an index below 0 counts from the end. */
const oneHot: Lowering = ({ g, node, operands: [indices, depth, values] }) => {
  const size = g.constantOf(depth)
  const dims = staticDims(indices?.dims)
  if (indices?.type !== "int32" || size === undefined || dims === undefined || values === undefined) return undefined
  const [count = 0] = toNumbers(size)
  const axis = intAttribute(node, "axis", -1)
  const at = axis < 0 ? axis + dims.length + 1 : axis
  const classes = Array.from({ length: count }, (_, index) => index)
  const positive = g.where(g.less(indices, whole(g, 0)), g.add(indices, whole(g, count)), indices)
  const apart = g.reshape(positive, [...dims.slice(0, at), 1, ...dims.slice(at)])
  const numbers = g.constant(int32([count, ...dims.slice(at).map(() => 1)], classes))
  const [off, on] = g.split(values, [1, 1], 0)
  return [g.where(g.equal(apart, numbers), on!, off!)]
}

/** A remainder of the divisor's sign, or of the dividend's under `fmod`. */
const mod: Lowering = binary((g, a, b, node) => {
  const keepsSign = intAttribute(node, "fmod", 0) === 1
  if (isWhole(a)) {
    const rest = g.sub(a, g.mul(g.div(a, b), b))
    if (keepsSign || a.type === "uint32") return rest
    const zero = whole(g, 0)
    const [under, below] = [g.less(rest, zero), g.less(b, zero)]
    const off = and(g, exclusive(g, under, below), not(g, g.equal(rest, zero)))
    return g.where(off, g.add(rest, b), rest)
  }
  if (!keepsSign) return undefined
  const ratio = g.div(a, b)
  const cut = g.where(g.less(ratio, like(g, ratio, 0)), one(g, "Ceil", [ratio]), one(g, "Floor", [ratio]))
  return g.sub(a, g.mul(cut, b))
})

const fusedMatMul: Lowering = binary((g, a, b, node) => {
  const turned = (x: Value, transposes: number): Value | undefined => {
    const axes = x.dims === undefined ? undefined : [...x.dims.keys()]
    if (transposes === 0 || axes === undefined) return transposes === 0 ? x : undefined
    return axes.length < 2 ? x : g.transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2])
  }
  if (intAttribute(node, "transBatchA", 0) === 1 || intAttribute(node, "transBatchB", 0) === 1) return undefined
  const [left, right] = [turned(a, intAttribute(node, "transA", 0)), turned(b, intAttribute(node, "transB", 0))]
  if (left === undefined || right === undefined) return undefined
  const product = g.matmul(left, right)
  const alpha = floatAttribute(node, "alpha", 1)
  return alpha === 1 ? product : g.mul(product, like(g, product, alpha))
})

/** Dropout outside training hands its operand on and keeps everything. */
const dropout: Lowering = ({ g, node, operands: [x, , training] }) => {
  const mode = training === undefined ? [0] : g.constantOf(training)?.data
  const dims = staticDims(x?.dims)
  if (x === undefined || mode === undefined || Number(mode[0]) !== 0) return undefined
  if (node.outputs.length < 2) return [x]
  const everything = g.constant({ type: "bool", dims: [1], data: Uint8Array.of(1) })
  return dims === undefined ? undefined : [x, g.expand(everything, dims)]
}

const constantOfShape: Lowering = unary((g, shape, node) => {
  const dims = g.constantOf(shape)
  const { value } = node.attributes
  const filled = value?.kind === "tensor" ? value.value : undefined
  if (dims === undefined) return undefined
  const single = filled === undefined ? g.scalar(0) : g.constant(filled.type === "int64" ? toInt32(filled) : filled)
  return g.expand(single, toNumbers(dims))
})

/** Whole numbers are cut out by their places, because the provider slices floats alone. */
const slice: Lowering = (application) => {
  const { g, operands } = application
  const [data, starts, ends, axes, steps] = operands
  if (data?.type === "bool") return viaFloat(application)
  const dims = staticDims(data?.dims)
  if (data?.type !== "int32" || dims === undefined) return undefined
  const numbers = (value: Value | undefined, fallback: readonly number[]) => {
    const tensor = g.constantOf(value)
    return value === undefined ? fallback : tensor === undefined ? undefined : toNumbers(tensor)
  }
  const from = numbers(starts, [])
  const to = numbers(ends, [])
  const along = numbers(axes, [...(from ?? []).keys()])
  const by = numbers(steps, from?.map(() => 1) ?? [])
  if (from === undefined || to === undefined || along === undefined || by === undefined) return undefined
  let result = data
  for (const [index, axis] of along.entries()) {
    const at = axis < 0 ? axis + dims.length : axis
    const places = sliced(dims[at]!, from[index]!, to[index]!, by[index]!)
    result = g.gather(result, g.constant(int32([places.length], places)), at)
  }
  return [result]
}

/** The places that a slice of `size` elements takes. */
const sliced = (size: number, start: number, end: number, step: number): number[] => {
  const within = (value: number): number => {
    const counted = value < 0 ? value + size : value
    return step > 0 ? Math.min(Math.max(counted, 0), size) : Math.min(Math.max(counted, -1), size - 1)
  }
  const places: number[] = []
  for (let at = within(start); step > 0 ? at < within(end) : at > within(end); at += step) places.push(at)
  return places
}

/**
 * y = x · r · scale with r = 1 / √(mean x² + ε). The provider's kernel computes y alone right: it leaves r, which gradients
 * read, unwritten.
 */
const rmsNormalization: Lowering = ({ g, node, operands: [x, scale] }) => {
  const rank = x?.dims?.length
  if (x === undefined || scale === undefined || rank === undefined || (node.outputs[1] ?? "") === "") return undefined
  const axis = intAttribute(node, "axis", -1)
  const axes = [...Array(rank).keys()].slice(axis < 0 ? axis + rank : axis)
  const square = g.reduceMean(g.mul(x, x), axes)
  const inverse = g.reciprocal(g.sqrt(g.add(square, like(g, x, floatAttribute(node, "epsilon", 1e-5)))))
  return [g.mul(g.mul(x, inverse), scale), inverse]
}

/** Truth values take the way of floats through operators that move elements. */
const viaFloat: Lowering = ({ g, node, operands }) => {
  if (!operands.some((value) => value?.type === "bool")) return undefined
  const inputs = operands.map((value) => (value?.type === "bool" ? g.cast(value, "float32") : value))
  const results = g.op(node.op, inputs, { attributes: node.attributes, outputs: node.outputs.length })
  return results.map((value) => g.cast(value, "bool"))
}

/** The provider picks floats alone: a 32-bit integer goes in two halves, which floats hold exactly. */
const gatherElements: Lowering = (application) => {
  const { g, node, operands } = application
  const [data, indices] = operands
  if (data?.type !== "int32") return viaFloat(application)
  const unit = whole(g, 2 ** 16)
  const high = g.div(data, unit)
  const [upper, lower] = [high, g.sub(data, g.mul(high, unit))].map((half) => {
    const picked = g.op(node.op, [g.cast(half, "float32"), indices], { attributes: node.attributes })[0]!
    return g.cast(picked, "int32")
  })
  return [g.add(g.mul(upper!, unit), lower!)]
}

/**
 * Operators that ONNX Runtime's WebGPU provider lacks, or whose own form there fails, in terms of others.
 * `test/node/Lower.test.ts` of the runtime asks the provider for each.
 */
export const lowerings: Readonly<Record<string, Lowering>> = {
  LogSoftmax: unary((g, x, node) => logSoftmax(g, x, intAttribute(node, "axis", -1))),
  ReduceLogSumExp: reduceLogSumExp,
  SoftmaxCrossEntropyLoss: classLoss(true),
  NegativeLogLikelihoodLoss: classLoss(false),
  OneHot: oneHot,
  ConstantOfShape: constantOfShape,
  Dropout: dropout,
  Mod: mod,
  "com.microsoft.FusedMatMul": fusedMatMul,
  // The two operands are read apart, so that no compiler can take them for equal
  IsNaN: unary((g, x) => not(g, g.equal(x, x))),
  Sign: unary((g, x) => {
    const zero = like(g, x, 0)
    const type = x.type ?? "float32"
    return g.sub(g.cast(g.greater(x, zero), type), g.cast(g.less(x, zero), type))
  }),
  Softsign: unary((g, x) => g.div(x, g.add(g.abs(x), like(g, x, 1)))),
  Sum: ({ g, operands }) => {
    const values = operands.filter((value) => value !== undefined)
    return values.length === 0 ? undefined : [values.reduce((sum, value) => g.add(sum, value))]
  },
  Or: binary(or),
  Xor: binary(exclusive),
  Equal: binary((g, a, b) => (a.type === "bool" ? not(g, exclusive(g, a, b)) : undefined)),
  Neg: unary((g, x) => (x.type === "int32" ? g.sub(whole(g, 0), x) : undefined)),
  Abs: unary((g, x) => (x.type === "int32" ? g.max(x, g.sub(whole(g, 0), x)) : undefined)),
  SimplifiedLayerNormalization: rmsNormalization,
  // A cast of truth values to what they are
  Cast: unary((_, x, node) => (x.type === "bool" && intAttribute(node, "to", 0) === 9 ? x : undefined)),
  Slice: slice,
  Transpose: viaFloat,
  Concat: viaFloat,
  Split: viaFloat,
  Squeeze: viaFloat,
  Tile: viaFloat,
  GatherElements: gatherElements,
  GatherND: viaFloat,
}
