import { int32, int64, string, type Tensor } from "@tandem/onnx"
import { type Case, type Cases, int, positive, spread } from "./Values.ts"

const x = spread([2, 3, 4])

interface Options {
  readonly ignore?: number
  readonly weighted?: boolean
  readonly outputs?: number
  readonly uses?: readonly number[]
}

/** A loss by class over scores `[N, C, …]`, under each reduction. */
const classLoss = (name: string, scores: readonly number[], labels: Tensor, options: Options = {}): readonly Case[] =>
  ["mean", "sum", "none"].map((reduction) => ({
    name: `${name}, ${reduction}`,
    inputs: [spread(scores), labels, ...(options.weighted === true ? [positive([scores[1]!], 3)] : [])],
    attributes: {
      reduction: string(reduction),
      ...(options.ignore === undefined ? {} : { ignore_index: int(options.ignore) }),
    },
    ...(options.outputs === undefined ? {} : { outputs: options.outputs }),
    ...(options.uses === undefined ? {} : { uses: options.uses }),
    wrt: [0],
  }))

const tokens = int64([4], [1, 0, 4, 1])
const images = int64([2, 3], [1, 0, 4, 1, 3, 2])
const padded = int64([4], [1, -100, 4, -100])

const losses = (): readonly Case[] => [
  ...classLoss("tokens", [4, 5], tokens),
  ...classLoss("weights", [4, 5], tokens, { weighted: true }),
  ...classLoss("ignored labels beyond the classes", [4, 5], padded, { ignore: -100 }),
  ...classLoss("an ignored class and weights", [4, 5], tokens, { ignore: 1, weighted: true }),
  ...classLoss("one further axis", [2, 5, 3], images),
  ...classLoss("one further axis, weights, an ignored class", [2, 5, 3], images, { ignore: 4, weighted: true }),
  ...classLoss("two further axes", [1, 3, 2, 2], int64([1, 2, 2], [2, 0, 1, 1]), { ignore: 2 }),
  ...classLoss("32-bit labels", [3, 4], int32([3], [3, -1, 2]), { ignore: -1 }),
]

export const lossCases: Cases = {
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
  SoftmaxCrossEntropyLoss: [
    ...losses(),
    ...classLoss("the logarithms too", [4, 5], padded, { ignore: -100, outputs: 2 }),
    ...classLoss("the logarithms alone", [2, 5, 3], images, { outputs: 2, uses: [1] }),
  ],
  NegativeLogLikelihoodLoss: losses(),
}
