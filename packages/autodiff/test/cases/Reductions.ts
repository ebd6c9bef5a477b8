import { float32, int64, type Tensor } from "@tandem/onnx"
import { type Case, type Cases, int, nonzero, numbers, positive, spread } from "./Values.ts"

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
export const reductionCases: Cases = {
  ReduceSum: reduction(x),
  ReduceMean: reduction(x),
  ReduceSumSquare: reduction(x),
  ReduceL2: reduction(nonzero([2, 3, 4])),
  ReduceLogSumExp: reduction(x),
  ReduceL1: reduction(nonzero([2, 3, 4])),
  ReduceLogSum: reduction(positive([2, 3, 4])),
  ReduceProd: [
    ...reduction(nonzero([2, 3, 4])),
    {
      name: "one 0 among the factors, and more",
      inputs: [float32([3, 3], [0.5, 0, 1.5, 0, -0.7, 0, 1.2, -0.4, 0.9]), numbers(1)],
      wrt: [0],
    },
  ],
  CumSum: [
    ...[0, 1].flatMap((exclusive) =>
      [0, 1].flatMap((reverse) =>
        [0, 1, -1].map((axis) => ({
          name: `axis ${axis}, exclusive ${exclusive}, reverse ${reverse}`,
          inputs: [spread([3, 4]), int64([], [axis])],
          attributes: { exclusive: int(exclusive), reverse: int(reverse) },
          wrt: [0],
        })),
      ),
    ),
    { name: "axis as a list of one", inputs: [spread([3, 4]), numbers(1)], wrt: [0] },
  ],
  ReduceMax: reduction(x),
  ReduceMin: reduction(x),
}
