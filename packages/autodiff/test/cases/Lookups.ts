import { int32, int64, string, type Tensor } from "@tandem/onnx"
import { type Case, type Cases, int, number, numbers, spread } from "./Values.ts"

const x = spread([2, 3, 4])
const one = (name: string, ...inputs: readonly (Tensor | undefined)[]): Case => ({ name, inputs, wrt: [0] })

const gather = (name: string, data: Tensor, indices: Tensor, axis: number): Case => ({
  name,
  inputs: [data, indices],
  attributes: { axis: int(axis) },
  wrt: [0],
})

const scatter = (
  name: string,
  data: readonly number[],
  indices: Tensor,
  options: { readonly axis?: number; readonly add?: boolean } = {},
): Case => ({
  name: `${name}${options.add === true ? ", that add up" : ""}`,
  inputs: [spread(data), indices, spread(indices.dims, -1, 1.3, 3)],
  attributes: {
    ...(options.axis === undefined ? {} : { axis: int(options.axis) }),
    ...(options.add === true ? { reduction: string("add") } : {}),
  },
  wrt: [0, 2],
})

const topK = (dims: readonly number[], count: number, ...[axis, largest]: readonly number[]): Case => ({
  name: `${count} of [${dims}], axis ${axis ?? "absent"}, largest ${largest ?? "absent"}`,
  inputs: [spread(dims), numbers(count)],
  attributes: {
    ...(axis === undefined ? {} : { axis: int(axis) }),
    ...(largest === undefined ? {} : { largest: int(largest) }),
  },
  outputs: 2,
  wrt: [0],
})

export const lookupCases: Cases = {
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
    one("a slice for each index of rank 3", spread([3, 4, 2, 2]), int64([2, 2, 2], [0, 1, 2, 3, 0, 1, -1, -4])),
    one("one element", x, int64([3], [1, 2, 3])),
    {
      ...one("a batch axis and slices", spread([2, 3, 2, 2]), int64([2, 3, 1], [0, 2, 0, -1, 1, 1])),
      attributes: { batch_dims: int(1) },
    },
    {
      ...one("two batch axes", x, int64([2, 3, 1], [0, 3, 1, -1, 2, 2])),
      attributes: { batch_dims: int(2) },
    },
  ],
  ScatterElements: [
    scatter("axis 0", [3, 3], int64([2, 3], [1, 0, 2, 0, 2, 1])),
    scatter("axis 1", [2, 5], int64([2, 2], [1, 3, 0, 4]), { axis: 1 }),
    scatter("from the end, negative", [2, 5], int64([1, 2], [-1, 0]), { axis: -1 }),
    scatter("three axes", [2, 3, 2], int64([2, 1, 2], [0, 2, 1, 0]), { axis: 1 }),
    scatter("32-bit indices", [3, 2], int32([1, 2], [0, 2])),
    scatter("repeated", [3, 3], int64([2, 3], [1, 0, 2, 1, 2, 2]), { add: true }),
    scatter("repeated, axis 1", [2, 3], int64([2, 4], [1, 1, -1, 0, 0, 0, 0, 2]), { axis: 1, add: true }),
  ],
  TopK: [
    topK([5], 2),
    topK([3, 5], 2),
    topK([3, 5], 2, 0),
    topK([2, 4, 3], 3, 1, 0),
    topK([2, 4, 3], 1, -2, 1),
    { ...topK([3, 4], 4), outputs: 1, name: "all, and the places not asked for" },
    { ...topK([3, 4], 2), attributes: { sorted: int(0) }, name: "in any order" },
  ],
}
