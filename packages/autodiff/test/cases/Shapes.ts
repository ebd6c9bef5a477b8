import { int32, int64, string, type Tensor } from "@tandem/onnx"
import { type Case, type Cases, int, number, numbers, scalar, spread } from "./Values.ts"

const x = spread([2, 3, 4])
const one = (name: string, ...inputs: readonly (Tensor | undefined)[]): Case => ({ name, inputs, wrt: [0] })

const slice = (
  name: string,
  data: Tensor,
  ...[starts, ends, axes, steps]: readonly (readonly number[] | undefined)[]
): Case => ({
  name,
  inputs: [data, numbers(...starts!), numbers(...ends!), axes && numbers(...axes), steps && numbers(...steps)],
  wrt: [0],
})

const gather = (name: string, data: Tensor, indices: Tensor, axis: number): Case => ({
  name,
  inputs: [data, indices],
  attributes: { axis: int(axis) },
  wrt: [0],
})

const along = (axis: number, ...sizes: readonly number[]): Tensor[] =>
  sizes.map((size, index) => spread([2, 3, 4].toSpliced(axis, 1, size), -1.5, 1.7, index + 1))

const far = 2 ** 53

export const shapeCases: Cases = {
  Reshape: [
    one("new shape", x, numbers(4, 6)),
    one("a kept and an open dimension", x, numbers(0, -1)),
    one("to rank 0", spread([1, 1]), int64([0], [])),
  ],
  Squeeze: [
    one("all", spread([1, 3, 1])),
    one("one axis", spread([1, 3, 1]), numbers(0)),
    one("from the end", spread([1, 3, 1]), numbers(-1)),
  ],
  Unsqueeze: [
    one("one axis", x, numbers(1)),
    one("several", x, numbers(0, -1)),
    one("of rank 0", scalar(2), numbers(0)),
  ],
  Expand: [
    one("axes of 1", spread([2, 1, 4]), numbers(2, 3, 4)),
    one("more axes", spread([3, 1]), numbers(2, 3, 4)),
    one("a shape smaller than the operand", x, numbers(3, 1)),
    one("a scalar", scalar(0.5), numbers(2, 2)),
    one("one to one", spread([1, 3]), numbers(1, 3)),
  ],
  Concat: [
    ...[0, 1, 2, -1, -3].map((axis) => ({
      name: `axis ${axis}`,
      inputs: along(axis < 0 ? axis + 3 : axis, 2, 1, 3),
      attributes: { axis: int(axis) },
      wrt: [0, 1, 2],
    })),
    { name: "one operand", inputs: [x], attributes: { axis: int(1) }, wrt: [0] },
    { name: "a constant between", inputs: along(1, 2, 1, 3), attributes: { axis: int(1) }, wrt: [0, 2] },
  ],
  Split: [
    ...[0, 1, 2, -1, -3].map((axis) => ({
      name: `sizes, axis ${axis}`,
      inputs: [spread([6, 6, 6].toSpliced(0, 1, 6)), numbers(1, 3, 2)],
      attributes: { axis: int(axis) },
      outputs: 3,
      wrt: [0],
    })),
    { name: "equal parts", inputs: [x], attributes: { axis: int(2), num_outputs: int(2) }, outputs: 2, wrt: [0] },
    {
      name: "a smaller last part",
      inputs: [spread([5, 2])],
      attributes: { num_outputs: int(2) },
      outputs: 2,
      wrt: [0],
    },
    ...[[0], [1], [2], [0, 2]].map((uses) => ({
      name: `only parts ${uses} used`,
      inputs: [spread([6, 2]), numbers(1, 3, 2)],
      outputs: 3,
      uses,
      wrt: [0],
    })),
  ],
  Slice: [
    slice("middle", spread([6, 2]), [2], [5]),
    slice("from the start", spread([6, 2]), [0], [4], [0]),
    slice("to the end", spread([6, 2]), [2], [far], [0]),
    slice("everything", spread([6, 2]), [0], [far], [0]),
    slice("negative bounds", spread([6, 2]), [-4], [-1], [0]),
    slice("bounds beyond the ends", spread([6, 2]), [-100], [100], [0]),
    slice("last axis", x, [1], [3], [-1]),
    slice("two axes", x, [1, 1], [3, 4], [1, 2]),
    slice("axes out of order", x, [1, 0, 1], [4, 1, 3], [2, 0, -2]),
    slice("axes by default", x, [1, 1], [2, 3]),
    slice("steps of 2", spread([7, 2]), [0], [7], [0], [2]),
    slice("steps of 3 from 1", spread([8, 2]), [1], [8], [0], [3]),
    slice("a step beyond the end", spread([4, 2]), [1], [4], [0], [100]),
    slice("backwards", spread([6, 2]), [-1], [-far], [0], [-1]),
    slice("backwards by 2", spread([7, 2]), [5], [0], [0], [-2]),
    slice("backwards from beyond the end", spread([6, 2]), [100], [1], [0], [-3]),
    slice("steps of both signs", spread([5, 6]), [4, 0], [-100, 6], [0, 1], [-2, 2]),
    slice("a step and a whole range", spread([5, 6]), [1, 1], [3, 6], [0, 1], [1, 2]),
  ],
  Tile: [
    one("two axes", spread([2, 3]), numbers(2, 3)),
    one("one axis", x, numbers(1, 3, 1)),
    one("unchanged", x, numbers(1, 1, 1)),
  ],
  Gather: [
    ...[0, 1, 2, -1, -2, -3].flatMap((axis) => [
      gather(`axis ${axis}, a scalar`, x, number(1), axis),
      gather(`axis ${axis}, repeated`, x, numbers(1, 0, 1, 1), axis),
      gather(`axis ${axis}, negative`, x, numbers(-1, 0, -2, 1), axis),
      gather(`axis ${axis}, matrix of indices`, x, int64([2, 2], [1, 0, 1, 1]), axis),
    ]),
    gather("32-bit indices", x, int32([2], [-1, 1]), 1),
    gather("vector", spread([5]), numbers(4, 0, 4), 0),
    gather("vector, a scalar", spread([5]), number(-2), 0),
  ],
  GatherElements: [
    gather("axis 0", spread([3, 3]), int64([2, 3], [0, 0, 2, 1, 0, 2]), 0),
    gather("axis 1, repeated", spread([3, 4]), int64([3, 2], [1, 1, 3, 0, 2, 2]), 1),
    gather("from the end, negative", spread([3, 4]), int64([3, 2], [-1, 1, -1, 3, 0, -4]), -1),
    gather("three axes", x, int64([2, 2, 4], [0, 1, 2, 2, 2, 1, 0, 0, 1, 1, 1, 1, 0, 2, 0, 2]), 1),
    gather("32-bit indices", spread([3, 4]), int32([3, 1], [1, 3, 0]), 1),
  ],
  ScatterND: [
    { name: "rows", inputs: [spread([4, 3]), int64([2, 1], [2, 0]), spread([2, 3], -1, 1.3)], wrt: [0, 2] },
    { name: "elements", inputs: [spread([3, 4]), int64([2, 2], [0, 1, -1, 3]), spread([2], -1, 1.3)], wrt: [0, 2] },
    {
      name: "repeated rows that add up",
      inputs: [spread([4, 3]), int64([3, 1], [2, 0, 2]), spread([3, 3], -1, 1.3)],
      attributes: { reduction: string("add") },
      wrt: [0, 2],
    },
  ],
  GatherND: [
    one("elements", spread([3, 4]), int64([3, 2], [0, 1, 2, 3, 0, 1])),
    one("slices", x, int64([3, 1], [1, 0, 1])),
    one("negative", x, int64([2, 2], [-1, -3, 0, 1])),
    one("indices of rank 3", x, int64([2, 1, 2], [1, 2, 1, 2])),
    { ...one("a batch axis", x, int64([2, 1], [1, 2])), attributes: { batch_dims: int(1) } },
    {
      ...one("a batch axis, several rows", x, int64([2, 3, 1], [1, 2, 1, 0, -1, 0])),
      attributes: { batch_dims: int(1) },
    },
    {
      ...one("a batch axis, elements", x, int64([2, 2, 2], [1, 3, 1, 3, 0, -1, 2, 2])),
      attributes: { batch_dims: int(1) },
    },
    {
      ...one("two batch axes", x, int64([2, 3, 1], [0, 3, 1, -1, 2, 2])),
      attributes: { batch_dims: int(2) },
    },
  ],
}
