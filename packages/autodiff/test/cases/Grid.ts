import { type Attribute, int32, int64, string, type Tensor } from "@tandem/onnx"
import type { VjpCase } from "../../src/testing.ts"
import { int, ints, nonzero, numbers, positive, real, scalar, spread, truths } from "./Values.ts"

/** A case of ONNX Runtime's grid of gradient tests, with the largest error that it allows for an element. */
export interface GridCase extends VjpCase {
  readonly tolerance: number
}

type Setting = number | readonly number[] | string | Attribute

interface Options {
  readonly domain?: string
  readonly settings?: Readonly<Record<string, Setting>>
  readonly outputs?: number
  readonly uses?: readonly number[]
  readonly tolerance?: number
  /** Operands to differentiate by; all those that were given by shape where absent. */
  readonly wrt?: readonly number[]
  readonly make?: (dims: readonly number[], seed: number) => Tensor
}

const isTensor = (operand: Tensor | readonly number[] | undefined): operand is Tensor =>
  operand !== undefined && "data" in operand

const attribute = (value: Setting): Attribute => {
  if (typeof value === "number") return int(value)
  if (typeof value === "string") return string(value)
  return "kind" in value ? value : ints(...value)
}

/** A row: operands by shape are made of random numbers, tensors are what they are. */
const row = (op: string, operands: readonly (Tensor | readonly number[] | undefined)[], options: Options = {}) => {
  const { settings = {}, tolerance = 1.5e-2, make = (dims, seed) => spread(dims, -1.5, 1.7, seed) } = options
  const shapes = operands.map((operand) =>
    operand === undefined ? "absent" : `[${isTensor(operand) ? operand.dims : operand}]`,
  )
  const result: GridCase = {
    op,
    name: [...shapes, ...Object.entries(settings).map(([name, value]) => `${name} ${JSON.stringify(value)}`)].join(" "),
    inputs: operands.map((operand, index) =>
      operand === undefined || isTensor(operand) ? operand : make(operand, index + 1),
    ),
    attributes: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, attribute(value)])),
    wrt:
      options.wrt ?? operands.flatMap((operand, index) => (operand === undefined || isTensor(operand) ? [] : [index])),
    tolerance,
    ...(options.domain === undefined ? {} : { domain: options.domain }),
    ...(options.outputs === undefined ? {} : { outputs: options.outputs }),
    ...(options.uses === undefined ? {} : { uses: options.uses }),
  }
  return result
}

const close = { tolerance: 1e-3 }
const shape = [2, 3, 4]

const unary: readonly GridCase[] = [
  ..."Erf Sin Cos Tanh Sigmoid Exp Neg Identity Gelu Atan Softplus".split(" ").map((op) => row(op, [shape], close)),
  ..."Relu Abs LeakyRelu Elu Selu Reciprocal".split(" ").map((op) => row(op, [shape], { ...close, make: nonzero })),
  ..."Sqrt Log".split(" ").map((op) => row(op, [shape], { ...close, make: positive })),
  row("Cast", [shape], { ...close, settings: { to: 1 } }),
  row("Gelu", [shape], { ...close, domain: "com.microsoft" }),
  row("FastGelu", [shape], { ...close, domain: "com.microsoft" }),
  row("FastGelu", [shape, [4]], { ...close, domain: "com.microsoft" }),
  row("BiasGelu", [shape, [4]], { ...close, domain: "com.microsoft" }),
]

const broadcasts = [
  [
    [2, 3, 4, 5],
    [2, 3, 4, 5],
  ],
  [[2, 3, 4, 5], []],
  [[], [2, 3, 4, 5]],
  [[2, 3, 4, 5], [5]],
  [
    [4, 5],
    [2, 3, 4, 5],
  ],
  [
    [1, 4, 5],
    [2, 3, 1, 1],
  ],
  [
    [3, 4, 5],
    [2, 1, 1, 1],
  ],
  [
    [2, 1, 1, 5],
    [1, 3, 4, 1],
  ],
] as const

const binary: readonly GridCase[] = [
  ...["Add", "Sub", "Mul"].flatMap((op) => broadcasts.map((pair) => row(op, pair))),
  ...broadcasts.map((pair) => row("Div", pair, { make: nonzero })),
  ...broadcasts.map((pair) => row("Pow", pair, { make: positive })),
  // No two elements are closer than a few steps
  ...["Max", "Min"].flatMap((op) => [
    row(
      op,
      [
        [3, 4],
        [3, 4],
      ],
      { make: (dims, seed) => spread(dims, -1.5 + 0.05 * seed, 1.7 + 0.05 * seed) },
    ),
    row(op, [[2, 3], scalar(0.013)]),
    row(op, [
      [2, 1, 3],
      [2, 1],
    ]),
  ]),
  ...[2, 3].map((power) => row("Pow", [shape, scalar(power)], { tolerance: power === 2 ? 1.5e-2 : 0.1 })),
  row("Where", [truths([4, 3, 2]), [4, 3, 2], [4, 3, 2]]),
  row("Clip", [[2, 2, 2], scalar(-0.5), scalar(0.61)]),
  row("Clip", [[2, 2, 2], scalar(0.33)]),
  row("Clip", [[2, 2, 2], undefined, scalar(0.4)]),
]

const products: readonly GridCase[] = [
  ...(
    [
      [
        [2, 4],
        [4, 3],
      ],
      [
        [2, 3, 4],
        [2, 4, 3],
      ],
      [
        [2, 3, 4],
        [4, 3],
      ],
      [
        [3, 4],
        [2, 4, 3],
      ],
      [
        [2, 3, 4, 5],
        [2, 3, 5, 4],
      ],
      [
        [2, 3, 4, 5],
        [5, 4],
      ],
      [
        [2, 3, 4, 5],
        [3, 5, 4],
      ],
      [
        [2, 1, 4, 5],
        [1, 3, 5, 4],
      ],
      [[3], [3]],
      [[3], [3, 4]],
      [[2, 3], [3]],
      [[2, 4, 3], [3]],
      [[3], [2, 3, 4]],
    ] as const
  ).flatMap((pair) => [row("MatMul", pair, { tolerance: 0.1 })]),
  ...[[], [3], [1, 3]].map((bias) => row("Gemm", [[1, 4], [4, 3], bias])),
  ...[[], [3], [1, 3], [2, 3]].map((bias) => row("Gemm", [[2, 4], [4, 3], bias])),
  row("Gemm", [[4, 2], [4, 3], [3]], { settings: { transA: 1 } }),
  row("Gemm", [[2, 4], [3, 4], [3]], { settings: { transB: 1 } }),
  row("Gemm", [[4, 2], [3, 4], [3]], { settings: { transA: 1, transB: 1 } }),
  ...[[2, 3], [3]].map((bias) =>
    row("Gemm", [[2, 4], [4, 3], bias], { settings: { alpha: real(0.7), beta: real(5) } }),
  ),
]

const reductions: readonly GridCase[] = "ReduceMean ReduceSum ReduceLogSumExp ReduceL2 ReduceSumSquare ReduceL1"
  .split(" ")
  .flatMap((op) =>
    (
      [
        [undefined, 1],
        [undefined, 0],
        [[0, 1, 2], 0],
        [[0, 2], 1],
        [[0, 1], 0],
        [[1], 1],
        [[2], 0],
        [[-2], 1],
        [[-2, -1], 0],
        [[-1, -3], 0],
      ] as const
    ).map(([axes, keepdims]) =>
      row(op, [[4, 3, 2], axes && numbers(...axes)], { settings: { keepdims }, make: nonzero }),
    ),
  )

const shapes: readonly GridCase[] = [
  row("Reshape", [[2, 3, 4], numbers(4, 6)], close),
  row("Transpose", [shape], close),
  ...[
    [0, 1, 2],
    [0, 2, 1],
    [1, 0, 2],
    [1, 2, 0],
    [2, 0, 1],
    [2, 1, 0],
  ].map((perm) => row("Transpose", [shape], { ...close, settings: { perm } })),
  ...[
    [0, 3],
    [0, 1],
    [0, 2, 4],
    [-1, 1],
  ].map((axes) => row("Unsqueeze", [[2, 3], numbers(...axes)], close)),
  row("Squeeze", [[1, 2, 3, 1], numbers(0, 3)], close),
  row("Squeeze", [[1, 1, 2, 3, 4], numbers(0, 1)], close),
  row("Squeeze", [[1, 2, 1, 3, 1], numbers(0, 2, 4)], close),
  row("Squeeze", [[1, 2, 1, 3, 1], numbers(2)], close),
  row("Squeeze", [[1, 2, 1, 3, 1]], close),
  ...[-3, -2, -1, 0, 1, 2, 3].map((axis) => row("Flatten", [shape], { ...close, settings: { axis } })),
  ...(
    [
      [
        [2, 3, 1],
        [2, 3, 4],
      ],
      [
        [2, 3, 1],
        [1, 1, 4],
      ],
      [[2, 3, 1], [4]],
      [
        [2, 3, 1],
        [1, 1],
      ],
      [
        [2, 3],
        [4, 5, 2, 3],
      ],
      [
        [1, 2, 3],
        [4, 5, 1, 1],
      ],
    ] as const
  ).map(([x, to]) => row("Expand", [x, numbers(...to)])),
  ...(
    [
      [[2], [3]],
      [
        [2, 3],
        [2, 1],
      ],
      [
        [2, 3],
        [1, 2],
      ],
      [
        [2, 3, 4],
        [2, 1, 3],
      ],
    ] as const
  ).map(([x, repeats]) => row("Tile", [x, numbers(...repeats)])),
]

const pieces: readonly GridCase[] = [
  row("Concat", [[2], [2], [2]], { settings: { axis: 0 } }),
  row(
    "Concat",
    [
      [2, 2],
      [2, 2],
      [2, 2],
    ],
    { settings: { axis: 1 } },
  ),
  row(
    "Concat",
    [
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ],
    { settings: { axis: 2 } },
  ),
  row(
    "Concat",
    [
      [2, 2],
      [2, 4],
    ],
    { settings: { axis: 1 } },
  ),
  row(
    "Concat",
    [
      [2, 2],
      [2, 4],
    ],
    { settings: { axis: -1 } },
  ),
  row("Split", [[9, 5]], { settings: { axis: 0, num_outputs: 3 }, outputs: 3 }),
  row("Split", [[9, 5], numbers(2, 4, 3)], { settings: { axis: 0 }, outputs: 3 }),
  row("Split", [[3, 7], numbers(5, 2)], { settings: { axis: -1 }, outputs: 2 }),
  row("Slice", [[2, 4], numbers(1, 0), numbers(2, 3)]),
  row("Slice", [[2, 4], numbers(1, 0), numbers(2, 3), numbers(0, 1), numbers(1, 2)]),
  row("Slice", [[2, 4, 2], numbers(1, 0), numbers(2, 3), numbers(0, 1), numbers(1, 2)]),
  row("Slice", [[4, 3], numbers(-1), numbers(-100), numbers(0), numbers(-2)]),
  row("Pad", [[2, 4], numbers(1, 2, 0, 1)]),
  row("Pad", [[2, 4], numbers(1, 2, -1, 1), scalar(0.3)]),
  row("Pad", [[2, 4, 3], numbers(0, -1, 1, 2, 0, -1)]),
  ...[0, 1].flatMap((upper) =>
    [undefined, -1, 0, 1].map((k) =>
      row("Trilu", [[2, 4, 3], k === undefined ? undefined : int64([], [k])], { settings: { upper } }),
    ),
  ),
]

const x = [5, 4, 3, 2]
const lookups: readonly GridCase[] = [
  row("Gather", [x, numbers(3, 1)], { settings: { axis: 0 } }),
  row("Gather", [x, numbers(0, 4, 4, 1, 2, 2, 2, 3, 0, 1)], { settings: { axis: 0 } }),
  row("Gather", [x, numbers(3, 3, 0, 1, 2, 0, 0, 1)], { settings: { axis: 1 } }),
  row("Gather", [x, int64([2, 3], [4, 0, 1, 1, 3, 0])], { settings: { axis: 0 } }),
  row("Gather", [x, int64([], [-2])], { settings: { axis: -1 } }),
  row("GatherND", [[2, 2], int64([2, 2], [1, 1, 1, 1])]),
  row("GatherND", [[2, 2], int64([2, 2], [0, 1, 1, 0])]),
  row("GatherND", [[2, 2, 3], int64([2, 1], [1, 0])], { settings: { batch_dims: 1 } }),
  row("GatherND", [[2, 2, 3], int64([2, 2, 1], [1, 0, 2, 1])], { settings: { batch_dims: 2 } }),
  row("GatherElements", [[3, 3], int64([2, 3], [1, 2, 0, 2, 0, 0])], { settings: { axis: 0 } }),
  row("GatherElements", [[3, 3], int64([2, 3], [1, 1, 1, 2, 2, 2])], { settings: { axis: 0 } }),
  row("GatherElements", [[3, 3], int64([2, 3], [1, 1, 1, 1, 1, 1])], { settings: { axis: 1 } }),
  row("GatherElements", [[3, 3], int64([2, 3], [0, 1, 2, 2, 0, 1])], { settings: { axis: 1 } }),
  row("GatherElements", [[2, 2, 2], int32([1, 2, 2], [1, 0, 1, 1])], { settings: { axis: -3 } }),
  row("ScatterND", [[8], int64([4, 1], [4, 3, 1, 7]), [4]]),
  row("ScatterND", [[4, 4, 2], int64([2, 1], [0, 2]), [2, 4, 2]]),
  row("ScatterND", [[4, 4], int64([2, 2], [0, 1, 3, 2]), [2]]),
  row("ScatterElements", [[3, 3], int64([2, 3], [1, 0, 2, 0, 2, 1]), [2, 3]], { settings: { axis: 0 } }),
  row("ScatterElements", [[1, 5], int64([1, 2], [1, 3]), [1, 2]], { settings: { axis: 1 } }),
  ...[0, 1, -1].map((axis) => row("TopK", [[2, 3, 4], numbers(2)], { settings: { axis }, outputs: 2 })),
  row("TopK", [[2, 3, 4], numbers(2)], { settings: { axis: 1, largest: 0 }, outputs: 2 }),
]

const maxima = { ...close, make: (dims: readonly number[]) => spread(dims, 0, 5) }
const windows: readonly GridCase[] = [
  row("MaxPool", [[2, 2, 9]], { ...maxima, settings: { kernel_shape: [2] } }),
  row("MaxPool", [[2, 3, 5, 5]], { ...maxima, settings: { kernel_shape: [2, 2], strides: [1, 1] } }),
  row("MaxPool", [[1, 1, 5, 5]], { ...maxima, settings: { kernel_shape: [3, 3], pads: [2, 2, 2, 2] } }),
  row("MaxPool", [[1, 1, 32, 32]], { ...maxima, settings: { kernel_shape: [5, 5], strides: [3, 3] } }),
  row("MaxPool", [[2, 1, 3, 3, 3]], { ...maxima, settings: { kernel_shape: [2, 2, 2] } }),
  row("GlobalAveragePool", [[2, 3, 5, 5]], close),
  row("GlobalAveragePool", [[2, 1, 3, 3]], close),
  row("AveragePool", [[2, 3, 8]], { settings: { kernel_shape: [2], strides: [2] } }),
  row("AveragePool", [[2, 3, 8, 8]], { settings: { kernel_shape: [2, 2], strides: [1, 1] } }),
  row("AveragePool", [[2, 3, 8, 8, 8]], { settings: { kernel_shape: [2, 2, 2], strides: [2, 2, 2] } }),
  row("AveragePool", [[1, 3, 8]], { settings: { kernel_shape: [3], strides: [3], pads: [1, 0] } }),
  row("AveragePool", [[1, 3, 7, 8]], {
    settings: { kernel_shape: [3, 2], strides: [3, 2], pads: [1, 0, 1, 0], count_include_pad: 1 },
  }),
  row("AveragePool", [[1, 3, 7, 7]], { settings: { kernel_shape: [3, 3], strides: [3, 3], pads: [1, 1, 1, 1] } }),
  row("AveragePool", [[1, 3, 8, 8, 8]], {
    settings: { kernel_shape: [3, 3, 3], strides: [3, 3, 3], pads: [1, 1, 1, 0, 0, 0] },
  }),
  row("AveragePool", [[1, 4, 7, 7, 7]], {
    settings: { kernel_shape: [3, 3, 3], strides: [3, 3, 3], pads: [1, 1, 1, 1, 1, 1], count_include_pad: 1 },
  }),
  ...(
    [
      [[2, 2, 5], [2, 2, 3], [2], { pads: [1, 1] }],
      [[2, 1, 7], [1, 1, 3], [1], { pads: [1, 1], strides: [2] }],
      [[2, 1, 5], [1, 1, 1], [1], { pads: [1, 1] }],
      [[2, 1, 5], [1, 1, 1], [1], { pads: [0, 0] }],
      [[1, 1, 3, 3], [1, 1, 3, 3], [1], { pads: [1, 1, 1, 1] }],
      [[2, 1, 5, 5], [1, 1, 3, 3], [1], { pads: [1, 1, 1, 1] }],
      [[1, 1, 1, 1], [1, 1, 1, 1], [1], { pads: [1, 1, 1, 1] }],
      [[1, 1, 1, 1], [1, 1, 1, 1], [1], {}],
      [[2, 1, 7, 5], [1, 1, 3, 3], [1], { pads: [1, 1, 1, 1], strides: [2, 2] }],
      [[2, 1, 5, 5], [1, 1, 3, 3], [1], { dilations: [2, 2] }],
      [[2, 1, 7, 5], [1, 1, 3, 3], [1], { pads: [1, 1, 1, 1], dilations: [2, 2] }],
      [[2, 1, 5, 5, 5], [1, 1, 3, 3, 3], [1], { pads: [1, 1, 1, 1, 1, 1] }],
      [[2, 1, 7, 5, 5], [1, 1, 3, 3, 3], [1], { pads: [1, 1, 1, 1, 1, 1], strides: [2, 2, 2] }],
    ] as const
  ).map(([data, weight, bias, settings]) =>
    row("Conv", [data, weight, bias], { tolerance: 0.3, settings: { kernel_shape: weight.slice(2), ...settings } }),
  ),
]

const labels = (dims: readonly number[], classes: number): Tensor => {
  const count = dims.reduce((product, dim) => product * dim, 1)
  return int64(
    dims,
    Array.from({ length: count }, (_, index) => (index * 3 + 1) % classes),
  )
}

const losses: readonly GridCase[] = ["mean", "sum", "none"].flatMap((reduction) =>
  (
    [
      [[5, 7], [5]],
      [
        [2, 7, 3, 2],
        [2, 3, 2],
      ],
    ] as const
  ).flatMap(([scores, at]) => [
    row("SoftmaxCrossEntropyLoss", [scores, labels(at, 7)], { settings: { reduction }, outputs: 2, uses: [0] }),
    row("SoftmaxCrossEntropyLoss", [scores, labels(at, 7), positive([7], 3)], {
      settings: { reduction, ignore_index: 1 },
      outputs: 2,
      uses: [0],
    }),
  ]),
)

const norms: readonly GridCase[] = [
  ...[undefined, 0, 2].flatMap((axis) =>
    ["Softmax", "LogSoftmax"].map((op) => row(op, [[3, 4, 5]], { settings: axis === undefined ? {} : { axis } })),
  ),
  row("LayerNormalization", [shape, [4], [4]], { tolerance: 1e-2, outputs: 3, uses: [0] }),
  row("SimplifiedLayerNormalization", [[2, 3, 8], [8]], { tolerance: 1e-2, outputs: 2, uses: [0] }),
  ...(
    [
      [[3, 3, 2, 4], 3],
      [[3, 1, 2, 4], 1],
      [[1, 4, 2], 4],
      [[6, 5, 1, 3, 2, 4], 5],
    ] as const
  ).map(([data, channels]) =>
    row("BatchNormalization", [data, [channels], [channels], spread([channels], -1, 1), positive([channels])], {
      tolerance: 1e-2,
      settings: { epsilon: real(1e-5), momentum: real(0.1) },
    }),
  ),
]

/**
 * Operators, shapes and axes of ONNX Runtime's gradient tests (orttraining's gradient_ops_test), and rows of the same
 * kind for what it does not cover.
 */
export const grid: readonly GridCase[] = [
  ...unary,
  ...binary,
  ...products,
  ...reductions,
  ...shapes,
  ...pieces,
  ...lookups,
  ...windows,
  ...losses,
  ...norms,
]
