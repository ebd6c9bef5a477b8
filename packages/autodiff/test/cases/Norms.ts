import { float32 } from "@tandem/onnx"
import { type Case, type Cases, int, ints, nonzero, positive, real, scalar, spread } from "./Values.ts"

const x = spread([2, 3, 4])
const features = spread([3, 4], 0.4, 1.4, 3)
const mask = { kind: "int", value: 7 } as const

/** A batch normalisation of `[N, C, …]` with all of its operands. */
const batch = (name: string, dims: readonly number[], epsilon?: number): Case => {
  const channels = [dims[1]!]
  return {
    name,
    inputs: [
      spread(dims),
      spread(channels, 0.4, 1.4),
      spread(channels, -1, 1.1, 2),
      spread(channels, -0.5, 0.6, 3),
      positive(channels, 4),
    ],
    attributes: epsilon === undefined ? {} : { epsilon: real(epsilon) },
    wrt: [0, 1, 2, 3, 4],
  }
}

const grouped = (name: string, dims: readonly number[], groups: number): Case => ({
  name,
  inputs: [spread(dims), spread([groups], 0.4, 1.4), spread([groups], -1, 1.1, 2)],
  attributes: { num_groups: int(groups), epsilon: real(0.01) },
  wrt: [0, 1, 2],
})

const byInstance = (name: string, dims: readonly number[]): Case => ({
  name,
  inputs: [spread(dims), spread([dims[1]!], 0.4, 1.4), spread([dims[1]!], -1, 1.1, 2)],
  wrt: [0, 1, 2],
})

export const normCases: Cases = {
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
  SimplifiedLayerNormalization: [
    { name: "last axis", inputs: [x, spread([4], 0.4, 1.4)], uses: [0], wrt: [0, 1] },
    {
      name: "an axis from the end and an epsilon",
      inputs: [spread([3, 5]), spread([5], 0.4, 1.4)],
      attributes: { axis: int(-1), epsilon: real(0.1) },
      wrt: [0, 1],
    },
    {
      name: "the statistic asked for and not used",
      inputs: [x, spread([4], 0.4, 1.4)],
      outputs: 2,
      uses: [0],
      wrt: [0, 1],
    },
  ],
  BatchNormalization: [
    batch("images", [2, 3, 2, 4]),
    batch("sequences", [2, 4, 3], 0.1),
    batch("one channel", [3, 1, 2, 4]),
    batch("one row", [1, 4, 2]),
    batch("no spatial axis", [5, 3]),
    batch("four spatial axes", [2, 3, 1, 2, 2, 2]),
  ],
  InstanceNormalization: [byInstance("images", [2, 3, 2, 4]), byInstance("sequences", [2, 2, 5])],
  GroupNormalization: [
    grouped("two groups", [2, 4, 3], 2),
    grouped("images", [1, 6, 2, 2], 3),
    grouped("one group", [2, 3, 4], 1),
    grouped("a group for each channel", [2, 3, 4], 3),
  ],
  LpNormalization: [1, 2].flatMap((p) =>
    [0, 1, -1].map((axis) => ({
      name: `p ${p}, axis ${axis}`,
      inputs: [nonzero([3, 4])],
      attributes: { p: int(p), axis: int(axis) },
      wrt: [0],
    })),
  ),
  MeanVarianceNormalization: [
    { name: "default axes", inputs: [spread([2, 3, 2, 3])], wrt: [0] },
    { name: "last axis", inputs: [spread([3, 4])], attributes: { axes: ints(1) }, wrt: [0] },
  ],
}
