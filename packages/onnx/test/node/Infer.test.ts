import assert from "node:assert/strict"
import { test } from "node:test"
import {
  type Attributes,
  bool,
  type Dims,
  float,
  float32,
  type Graph,
  GraphBuilder,
  int,
  int32,
  int64,
  ints,
  staticDims,
  string,
  type Tensor,
  type Value,
} from "../../src/index.ts"
import { inferredOperators } from "../../src/internal/infer.ts"
import { run } from "./run.ts"

/** An operand: fed at run time, or known when the graph is built. */
interface Operand {
  readonly value: Tensor
  readonly known: boolean
}

interface Case {
  readonly op: string
  readonly operands: readonly (Operand | undefined)[]
  readonly attributes?: Attributes
  readonly outputs?: number
  readonly domain?: string
}

const size = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1)
const floats = (dims: readonly number[]): Tensor =>
  float32(
    dims,
    Array.from({ length: size(dims) }, (_, index) => 0.1 + (index % 7) / 10),
  )
const f = (...dims: readonly number[]): Operand => ({ value: floats(dims), known: false })
const b = (...dims: readonly number[]): Operand => ({
  value: bool(
    dims,
    Array.from({ length: size(dims) }, (_, index) => index % 3 === 0),
  ),
  known: false,
})
const fed = (value: Tensor): Operand => ({ value, known: false })
const known = (value: Tensor): Operand => ({ value, known: true })
const codes = (...dims: readonly number[]): Operand =>
  fed({ type: "uint8", dims, data: new Uint8Array(size(dims)).fill(0x5a) })
const list = (...values: readonly number[]): Operand => known(int64([values.length], values))
const number = (value: number): Operand => known(int64([], [value]))

const unary = (...ops: readonly string[]): readonly Case[] => ops.map((op) => ({ op, operands: [f(2, 1, 3)] }))
const binary = (operand: (...dims: readonly number[]) => Operand, ...ops: readonly string[]): readonly Case[] =>
  ops.flatMap((op) =>
    [
      [
        [2, 3],
        [2, 3],
      ],
      [
        [2, 1, 4],
        [3, 1],
      ],
      [[], [5]],
    ].map(([left = [], right = []]) => ({ op, operands: [operand(...left), operand(...right)] })),
  )

const reductions = "Sum Mean Max Min Prod L1 L2 SumSquare LogSumExp LogSum"
  .split(" ")
  .flatMap((name): readonly Case[] => {
    const op = `Reduce${name}`
    return [
      { op, operands: [f(2, 3, 4)] },
      { op, operands: [f(2, 3, 4), list(-1, 0)] },
      { op, operands: [f(2, 3, 4), list(1)], attributes: { keepdims: int(0) } },
      { op, operands: [f(2, 3, 4)], attributes: { noop_with_empty_axes: int(1) } },
    ]
  })

const cases: readonly Case[] = [
  ...unary(..."Neg Sqrt Exp Log Erf Tanh Sigmoid HardSigmoid Relu Abs Identity Gelu Reciprocal Sin Cos".split(" ")),
  ...unary(..."Softmax LogSoftmax Floor Ceil Sign IsNaN Clip".split(" ")),
  ...unary(..."Round Tan Asin Acos Atan Sinh Cosh Asinh Atanh Elu Selu Celu LeakyRelu ThresholdedRelu".split(" ")),
  ...unary(..."HardSwish Mish Softplus Softsign Shrink Hardmax LpNormalization".split(" ")),
  { op: "IsInf", operands: [f(2, 3)] },
  { op: "CastLike", operands: [f(2, 3), fed(int64([1], [1]))] },
  { op: "RandomNormalLike", operands: [f(2, 3)] },
  { op: "RandomUniformLike", operands: [f(2, 3)] },
  { op: "EyeLike", operands: [f(2, 3)] },
  { op: "DFT", operands: [f(2, 5, 1)] },
  { op: "DFT", operands: [f(3, 5, 2), undefined, number(0)], attributes: { inverse: int(1) } },
  { op: "DFT", operands: [f(2, 5, 1), number(8)], attributes: { onesided: int(1) } },
  { op: "Acosh", operands: [fed(float32([2], [1.5, 2]))] },
  { op: "PRelu", operands: [f(2, 3), f(3)] },
  { op: "BiasGelu", domain: "com.microsoft", operands: [f(2, 3), f(3)] },
  { op: "InstanceNormalization", operands: [f(2, 3, 4), f(3), f(3)] },
  {
    op: "GroupNormalization",
    operands: [f(2, 4, 3), f(2), f(2)],
    attributes: { num_groups: int(2), epsilon: float(0.1) },
  },
  { op: "MeanVarianceNormalization", operands: [f(2, 3, 4, 5)] },
  { op: "ReverseSequence", operands: [f(3, 2), fed(int64([2], [1, 3]))] },
  { op: "Einsum", operands: [f(2, 3, 4), f(4, 5)], attributes: { equation: string("...ij,jk") } },
  { op: "Einsum", operands: [f(2, 3), f(4, 3)], attributes: { equation: string("b i, j i -> b j") } },
  { op: "Einsum", operands: [f(3, 3)], attributes: { equation: string("ii") } },
  { op: "TopK", operands: [f(2, 5), list(3)], outputs: 2 },
  { op: "TopK", operands: [f(6, 5), list(2)], attributes: { axis: int(0) }, outputs: 2 },
  { op: "Pad", operands: [f(2, 3), list(1, 0, -1, 4)] },
  { op: "Pad", operands: [f(2, 3, 4), list(1, 2, 0, 1), undefined, list(-1, 0)] },
  { op: "Resize", operands: [f(1, 2, 5, 7), undefined, known(float32([4], [1, 1, 1.7, 0.6]))] },
  { op: "Resize", operands: [f(1, 2, 5, 7), undefined, undefined, list(1, 2, 9, 3)] },
  { op: "Resize", operands: [f(1, 2, 5, 7), undefined, undefined, list(4, 3)], attributes: { axes: ints([-2, 3]) } },
  {
    op: "SoftmaxCrossEntropyLoss",
    operands: [f(4, 5), fed(int64([4], [1, 0, 4, 2]))],
    outputs: 2,
  },
  {
    op: "SoftmaxCrossEntropyLoss",
    operands: [f(2, 5, 3), fed(int64([2, 3], [1, 0, 4, 2, 3, 3])), f(5)],
    attributes: { reduction: string("none") },
  },
  { op: "NegativeLogLikelihoodLoss", operands: [f(4, 5), fed(int64([4], [1, 0, 4, 2]))] },
  { op: "SpaceToDepth", operands: [f(2, 3, 4, 6)], attributes: { blocksize: int(2) } },
  { op: "DepthToSpace", operands: [f(2, 8, 3, 1)], attributes: { blocksize: int(2) } },
  { op: "SimplifiedLayerNormalization", operands: [f(2, 3, 4), f(4)], outputs: 2 },
  { op: "BatchNormalization", operands: [f(2, 3, 4), f(3), f(3), f(3), f(3)] },
  { op: "Conv", operands: [f(2, 3, 9), f(4, 3, 2)] },
  {
    op: "Conv",
    operands: [f(2, 4, 9, 8), f(6, 2, 3, 2), f(6)],
    attributes: { group: int(2), strides: ints([2, 3]), dilations: ints([1, 2]), pads: ints([1, 0, 2, 1]) },
  },
  ...["SAME_UPPER", "SAME_LOWER", "VALID"].map(
    (mode): Case => ({
      op: "Conv",
      operands: [f(1, 1, 8), f(1, 1, 4)],
      attributes: { auto_pad: string(mode), strides: ints([3]) },
    }),
  ),
  {
    op: "ConvTranspose",
    operands: [f(2, 4, 3, 5), f(4, 3, 3, 2)],
    attributes: {
      group: int(2),
      strides: ints([2, 1]),
      dilations: ints([1, 2]),
      pads: ints([1, 0, 2, 1]),
      output_padding: ints([1, 0]),
    },
  },
  { op: "AveragePool", operands: [f(2, 3, 8)], attributes: { kernel_shape: ints([3]), pads: ints([1, 0]) } },
  {
    op: "AveragePool",
    operands: [f(1, 1, 7, 8)],
    attributes: { kernel_shape: ints([2, 3]), strides: ints([2, 2]), ceil_mode: int(1), pads: ints([1, 1, 1, 1]) },
  },
  {
    op: "MaxPool",
    operands: [f(2, 3, 8)],
    attributes: { kernel_shape: ints([3]), dilations: ints([2]), ceil_mode: int(1), strides: ints([3]) },
    outputs: 2,
  },
  { op: "GlobalAveragePool", operands: [f(2, 3, 4, 5)] },
  { op: "GlobalMaxPool", operands: [f(2, 3, 4)] },
  { op: "QuickGelu", domain: "com.microsoft", operands: [f(2, 3)] },
  { op: "FastGelu", domain: "com.microsoft", operands: [f(2, 3), f(3)] },
  { op: "Not", operands: [b(2, 3)] },
  { op: "Trilu", operands: [f(2, 3, 3)] },
  { op: "CumSum", operands: [f(2, 3), number(1)] },
  {
    op: "ScatterND",
    operands: [f(5, 2), fed(int64([2, 1], [1, 1])), f(2, 2)],
    attributes: { reduction: string("add") },
  },
  { op: "ScatterElements", operands: [f(3, 2), fed(int64([1, 2], [0, 2])), f(1, 2)], attributes: { axis: int(0) } },
  ...binary(f, "Add", "Sub", "Mul", "Div", "Pow", "Min", "Max", "Sum", "Mean"),
  ...binary(f, "Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual"),
  ...binary(b, "And", "Or", "Xor"),
  { op: "Mod", operands: [fed(int64([2, 2], [5, 6, 7, 8])), number(3)] },
  { op: "Pow", operands: [f(2, 3), number(2)] },
  { op: "Max", operands: [f(2, 1), f(3), f(1, 1, 1)] },
  ...reductions,
  { op: "Where", operands: [b(2, 1), f(3), f(4, 1, 1)] },
  { op: "Dropout", operands: [f(2, 3)], outputs: 2 },
  { op: "Shape", operands: [f(2, 3, 4)] },
  { op: "Shape", operands: [f(2, 3, 4)], attributes: { start: int(-2), end: int(9) } },
  { op: "Shape", operands: [f(2, 3, 4)], attributes: { start: int(2), end: int(1) } },
  { op: "Size", operands: [f(2, 3)] },
  {
    op: "DequantizeLinear",
    operands: [known({ type: "int8", dims: [2, 3], data: new Int8Array(6) }), known(float32([], [0.5]))],
  },
  { op: "GatherElements", operands: [f(3, 2), fed(int64([1, 2], [0, 2]))] },
  { op: "GatherND", operands: [f(3, 4, 5), fed(int64([6, 2], Array(12).fill(1)))] },
  {
    op: "GatherND",
    operands: [f(3, 4, 5), fed(int64([3, 2, 1], Array(6).fill(1)))],
    attributes: { batch_dims: int(1) },
  },
  { op: "Range", operands: [number(1), number(8), number(3)] },
  { op: "Range", operands: [number(1), fed(int64([], [8])), number(3)] },
  ...["HannWindow", "HammingWindow", "BlackmanWindow"].map((op) => ({ op, operands: [number(8)] })),
  { op: "HannWindow", operands: [number(8)], attributes: { output_datatype: int(11) } },
  { op: "OneHot", operands: [list(1, 2, 0), number(4), f(2)] },
  { op: "OneHot", operands: [list(1, 2, 0), number(4), f(2)], attributes: { axis: int(0) } },
  { op: "MatMul", operands: [f(2, 3), f(3, 4)] },
  { op: "MatMul", operands: [f(5, 1, 2, 3), f(6, 3, 4)] },
  { op: "MatMul", operands: [f(3), f(6, 3, 4)] },
  { op: "MatMul", operands: [f(5, 2, 3), f(3)] },
  { op: "MatMul", operands: [f(3), f(3)] },
  {
    op: "FusedMatMul",
    domain: "com.microsoft",
    operands: [f(2, 3, 5), f(2, 4, 3)],
    attributes: { transA: int(1), transB: int(1), alpha: float(0.5) },
  },
  { op: "Gemm", operands: [f(2, 3), f(3, 4), f(4)] },
  { op: "Gemm", operands: [f(3, 2), f(4, 3)], attributes: { transA: int(1), transB: int(1) } },
  { op: "Reshape", operands: [f(2, 3, 4), list(0, -1)] },
  { op: "Reshape", operands: [f(2, 3, 4), list(4, -1, 2)] },
  { op: "Reshape", operands: [f(2, 3, 4), list(2, 3, 4, 1)] },
  { op: "Reshape", operands: [f(0, 3), list(3, 0)], attributes: { allowzero: int(1) } },
  { op: "Reshape", operands: [f(2, 0), list(0, 0, 7)] },
  { op: "Flatten", operands: [f(2, 3, 4)] },
  { op: "Flatten", operands: [f(2, 3, 4)], attributes: { axis: int(-1) } },
  { op: "Flatten", operands: [f(2, 3, 4)], attributes: { axis: int(0) } },
  { op: "Transpose", operands: [f(2, 3, 4)] },
  { op: "Transpose", operands: [f(2, 3, 4)], attributes: { perm: ints([1, 0, 2]) } },
  { op: "Unsqueeze", operands: [f(2, 3), list(0, -1)] },
  { op: "Unsqueeze", operands: [f(), list(0)] },
  { op: "Squeeze", operands: [f(1, 3, 1), list(-1)] },
  { op: "Squeeze", operands: [f(1, 3, 1)] },
  { op: "Expand", operands: [f(3, 1), list(2, 1, 4)] },
  { op: "Tile", operands: [f(3, 1), list(2, 4)] },
  { op: "Concat", operands: [f(2, 3), f(2, 4)], attributes: { axis: int(-1) } },
  { op: "Concat", operands: [f(1, 3), f(2, 3), f(1, 3)], attributes: { axis: int(0) } },
  { op: "Split", operands: [f(2, 5), list(2, 3)], attributes: { axis: int(1) }, outputs: 2 },
  { op: "Split", operands: [f(2, 5)], attributes: { axis: int(1), num_outputs: int(3) }, outputs: 3 },
  { op: "Split", operands: [f(2, 4)], attributes: { axis: int(-1), num_outputs: int(2) }, outputs: 2 },
  { op: "Slice", operands: [f(4, 5), list(1), list(3), list(1)] },
  { op: "Slice", operands: [f(4, 5), list(-3, 4), list(9e15, -6), list(0, 1), list(2, -1)] },
  { op: "Slice", operands: [f(4, 5), list(0, 3), list(9e15, 2)] },
  { op: "Gather", operands: [f(4, 5), fed(int64([2, 3], [0, 1, 2, 3, 0, 1]))] },
  { op: "Gather", operands: [f(4, 5), number(1)], attributes: { axis: int(-1) } },
  { op: "LayerNormalization", operands: [f(2, 3, 4), f(4), f(4)], outputs: 3 },
  { op: "LayerNormalization", operands: [f(2, 3, 4), f(3, 4)], attributes: { axis: int(1) }, outputs: 1 },
  ...([1, 6, 7, 9, 11] as const).map(
    (code): Case => ({ op: "Cast", operands: [f(2, 3)], attributes: { to: int(code) } }),
  ),
  { op: "ConstantOfShape", operands: [list(2, 3)] },
  {
    op: "ConstantOfShape",
    operands: [list(2, 0)],
    attributes: { value: { kind: "tensor", value: int32([1], [7]) } },
  },
  { op: "ArgMax", operands: [f(2, 3, 4)] },
  { op: "ArgMax", operands: [f(2, 3, 4)], attributes: { axis: int(-1), keepdims: int(0) } },
  { op: "DynamicQuantizeLinear", operands: [f(2, 3)], outputs: 3 },
  {
    op: "MatMulInteger",
    operands: [
      fed({ type: "uint8", dims: [2, 3], data: new Uint8Array(6) }),
      fed({ type: "int8", dims: [3, 4], data: new Int8Array(12) }),
    ],
  },
  ...[4, 8].map((bits) => ({
    op: "MatMulNBits",
    domain: "com.microsoft",
    operands: [f(2, 3, 40), codes(6, 3, 2 * bits), f(6, 3)],
    attributes: { K: int(40), N: int(6), bits: int(bits), block_size: int(16) },
  })),
  ...[4, 8].map((bits) => ({
    op: "GatherBlockQuantized",
    domain: "com.microsoft",
    operands: [codes(7, 4 * bits), fed(int64([2, 3], [0, 6, 3, 3, 1, 2])), f(7, 2)],
    attributes: { bits: int(bits), block_size: int(16), quantize_axis: int(1) },
  })),
]

/** The graph of one operator; equal sizes get one symbol where dimensions are symbolic. */
const graphOf = ({ op, operands, attributes = {}, outputs = 1, domain = "" }: Case, symbolic: boolean): Graph => {
  const g = new GraphBuilder()
  const inputs = operands.map((operand, index): Value | undefined => {
    if (operand === undefined) return undefined
    const { type, dims } = operand.value
    if (operand.known) return g.initializer(`i${index}`, operand.value)
    return g.input(`i${index}`, type, symbolic ? dims.map((dim) => `n${dim}`) : dims)
  })
  const results = g.op(op, inputs, { attributes, outputs, domain })
  return g.build(Object.fromEntries(results.map((value, index) => [`y${index}`, value])))
}

for (const each of cases) {
  const shown = each.operands.map((operand) => `[${operand?.value.dims}]`).join(" ")
  const options = Object.entries(each.attributes ?? {}).map(([name, { value }]) => `${name}=${value}`)
  test(`${each.op} ${shown} ${options}: what is inferred is what ONNX Runtime gives`, async () => {
    const graph = graphOf(each, false)
    const feeds = Object.fromEntries(
      each.operands.map((operand, index) => [`i${index}`, operand?.value ?? float32([], [0])]),
    )
    const untyped = { ...graph, outputs: graph.outputs.map((value) => ({ ...value, dims: undefined })) }
    const results = await run(untyped, feeds)
    const dataDependent = each.op === "Range" && each.operands.some((operand) => operand?.known === false)
    for (const { name, type, dims } of graph.outputs) {
      assert.equal(type, results[name]?.type)
      if (!dataDependent) assert.deepEqual(staticDims(dims), results[name]?.dims)
    }
    for (const { name, type, dims } of graphOf(each, true).outputs) {
      assert.equal(type, results[name]?.type)
      agrees(dims, results[name]?.dims ?? [])
    }
  })
}

/** Symbols stand for the sizes they were made from; what is unknown agrees with everything. */
const agrees = (inferred: Dims | undefined, found: readonly number[]): void => {
  if (inferred === undefined) return
  assert.equal(inferred.length, found.length)
  for (const [index, dim] of inferred.entries()) {
    if (typeof dim === "string" && dim.startsWith("?")) continue
    assert.equal(typeof dim === "string" ? Number(dim.slice(1)) : dim, found[index])
  }
}

test("the number of axes follows from the length of a shape that is computed", () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", ["a", 6])
  const y = g.input("y", "float32", ["b", 6])
  const shape = g.concat([g.op("Shape", [x])[0]!, g.indices([1])], 0)
  const place = g.input("place", "int64", [1])
  const shapes = [
    g.op("Reshape", [x, shape])[0]!,
    g.op("Expand", [x, shape])[0]!,
    g.concat([x, y], 0),
    g.op("Slice", [x, place, place, g.indices([0])])[0]!,
    g.op("Slice", [x, place, place])[0]!,
    g.add(x, y),
  ].map(({ dims }) => dims?.join())
  assert.deepEqual(shapes, ["?0,?1,?2", "?0,?1,6", "?0,6", "?0,6", "?0,?1", "?0,6"])
})

test("every operator that is inferred has a case here", () => {
  const covered = new Set(cases.map(({ op }) => op))
  assert.deepEqual(
    inferredOperators.filter((op) => !covered.has(op)),
    [],
  )
})
