import { float32, type Tensor } from "@tandem/onnx"
import { type Case, type Cases, int, ints, nonzero, numbers, scalar, spread } from "./Values.ts"

/** Every way to name the axes, with the reduced axes kept and dropped. */
const reduction = (x: Tensor): readonly Case[] =>
  [1, 0].flatMap((keep) => {
    const attributes = { keepdims: int(keep) }
    return [
      { name: `first axis, keep ${keep}`, inputs: [x, numbers(0)], attributes, wrt: [0] },
      { name: `middle axis, keep ${keep}`, inputs: [x, numbers(1)], attributes, wrt: [0] },
      { name: `last axis, keep ${keep}`, inputs: [x, numbers(-1)], attributes, wrt: [0] },
      { name: `two axes, keep ${keep}`, inputs: [x, numbers(2, 0)], attributes, wrt: [0] },
      { name: `negative axes, keep ${keep}`, inputs: [x, numbers(-3, -2)], attributes, wrt: [0] },
      { name: `all by default, keep ${keep}`, inputs: [x], attributes, wrt: [0] },
      {
        name: `none, keep ${keep}`,
        inputs: [x],
        attributes: { ...attributes, noop_with_empty_axes: int(1) },
        wrt: [0],
      },
    ]
  })

const x = spread([2, 3, 4])
const features = spread([3, 4], 0.4, 1.4, 3)
const mask = { kind: "int", value: 7 } as const

export const reductionCases: Cases = {
  ReduceSum: reduction(x),
  ReduceMean: reduction(x),
  ReduceSumSquare: reduction(x),
  ReduceL2: reduction(nonzero([2, 3, 4])),
  ReduceLogSumExp: reduction(x),
  ReduceMax: reduction(x),
  ReduceMin: reduction(x),
  Softmax: [0, 1, 2, -1, -2].map((axis) => ({
    name: `axis ${axis}`,
    inputs: [x],
    attributes: { axis: int(axis) },
    wrt: [0],
  })),
  LogSoftmax: [0, 1, 2, -1, -3].map((axis) => ({
    name: `axis ${axis}`,
    inputs: [x],
    attributes: { axis: int(axis) },
    wrt: [0],
  })),
  LayerNormalization: [
    { name: "last axis", inputs: [x, spread([4], 0.4, 1.4), spread([4])], uses: [0], wrt: [0, 1, 2] },
    { name: "without bias", inputs: [x, spread([4], 0.4, 1.4)], attributes: { axis: int(-1) }, wrt: [0, 1] },
    {
      name: "two axes",
      inputs: [x, features, spread([3, 4])],
      attributes: { axis: int(1), epsilon: { kind: "float", value: 0.1 } },
      wrt: [0, 1, 2],
    },
    {
      name: "two axes from the end",
      inputs: [x, features, spread([3, 4])],
      attributes: { axis: int(-2) },
      wrt: [0, 1, 2],
    },
    {
      name: "all axes",
      inputs: [spread([3, 4]), features, spread([3, 4])],
      attributes: { axis: int(0) },
      wrt: [0, 1, 2],
    },
    {
      name: "statistics asked for and not used",
      inputs: [x, spread([4], 0.4, 1.4), spread([4])],
      outputs: 3,
      uses: [0],
      wrt: [0, 1, 2],
    },
  ],
  Dropout: [
    { name: "outside training", inputs: [x, scalar(0.5)], wrt: [0] },
    {
      name: "training switched off",
      inputs: [x, scalar(0.5), { type: "bool", dims: [], data: Uint8Array.of(0) }],
      wrt: [0],
    },
    ...[0.5, 0.25].map((rate) => ({
      name: `training at ${rate}`,
      inputs: [x, scalar(rate), { type: "bool", dims: [], data: Uint8Array.of(1) } as const],
      attributes: { seed: mask },
      outputs: 2,
      random: true,
      wrt: [0],
    })),
    {
      name: "training at the default rate",
      inputs: [float32([8], [1, 2, 3, 4, 5, 6, 7, 8]), undefined, { type: "bool", dims: [], data: Uint8Array.of(1) }],
      random: true,
      wrt: [0],
    },
  ],
  Flatten: [0, 1, 2, -1].map((axis) => ({
    name: `axis ${axis}`,
    inputs: [x],
    attributes: { axis: int(axis) },
    wrt: [0],
  })),
  Transpose: [
    { name: "default", inputs: [x], wrt: [0] },
    { name: "turned", inputs: [x], attributes: { perm: ints(1, 2, 0) }, wrt: [0] },
    { name: "turned the other way", inputs: [x], attributes: { perm: ints(2, 0, 1) }, wrt: [0] },
    { name: "unchanged", inputs: [x], attributes: { perm: ints(0, 1, 2) }, wrt: [0] },
  ],
}
