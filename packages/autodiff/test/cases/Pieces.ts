import { int64, string, type Tensor } from "@tandem/onnx"
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

const along = (axis: number, ...sizes: readonly number[]): Tensor[] =>
  sizes.map((size, index) => spread([2, 3, 4].toSpliced(axis, 1, size), -1.5, 1.7, index + 1))

const far = 2 ** 53

const pad = (name: string, mode: string, data: Tensor, pads: readonly number[], axes?: readonly number[]): Case => ({
  name: `${mode}: ${name}`,
  inputs: [data, numbers(...pads), undefined, axes && numbers(...axes)],
  attributes: { mode: string(mode) },
  wrt: [0],
})

const trilu = (dims: readonly number[], upper: number, k?: number): Case => ({
  name: `[${dims}], upper ${upper}, k ${k ?? "absent"}`,
  inputs: [spread(dims), k === undefined ? undefined : number(k)],
  attributes: { upper: int(upper) },
  wrt: [0],
})

export const pieceCases: Cases = {
  Concat: [
    ...[0, 1, 2, -1, -3].map((axis) => ({
      name: `axis ${axis}`,
      inputs: along(axis < 0 ? axis + 3 : axis, 2, 1, 3),
      attributes: { axis: int(axis) },
      wrt: [0, 1, 2],
    })),
    { name: "one operand", inputs: [x], attributes: { axis: int(1) }, wrt: [0] },
    {
      name: "an empty operand",
      inputs: [spread([2, 0, 4]), spread([2, 3, 4]), spread([2, 1, 4])],
      attributes: { axis: int(1) },
      wrt: [1, 2],
    },
    { name: "the same operand twice over", inputs: [x, x], attributes: { axis: int(0) }, wrt: [0, 1] },
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
  Pad: [
    ...["constant", "edge", "reflect", "wrap"].flatMap((mode) => [
      pad("both ends of both axes", mode, spread([4, 5]), [1, 2, 2, 1]),
      pad("one end", mode, spread([3, 4]), [0, 2, 0, 0]),
      pad("three axes", mode, spread([3, 2, 4]), [0, 1, 3, 2, 0, 1]),
      pad("named axes, one from the end", mode, spread([3, 4, 3]), [1, 2, 2, 0], [-1, 1]),
      pad("nothing", mode, spread([2, 3]), [0, 0, 0, 0]),
      pad("elements cut off", mode, spread([4, 5]), [-1, 0, -2, -1]),
      pad("cut off at one end and padded at the other", mode, spread([5, 4]), [-2, 1, 1, -1]),
    ]),
    pad("as far as the operand is long, and further", "wrap", spread([3]), [3, 5]),
    pad("far", "edge", spread([1, 2]), [3, 4, 0, 5]),
    {
      name: "a number of its own",
      inputs: [spread([2, 3]), numbers(1, 0, 0, 2), scalar(0.7)],
      wrt: [0, 2],
    },
    {
      name: "a number and elements cut off",
      inputs: [spread([4, 3]), numbers(-1, 1, 2, -1), scalar(0.7)],
      wrt: [0, 2],
    },
    {
      name: "a number, one axis",
      inputs: [spread([4, 3]), numbers(2, 1), scalar(-0.4), numbers(-1)],
      wrt: [0, 2],
    },
  ],
  Trilu: [0, 1].flatMap((upper) => [
    trilu([3, 3], upper),
    trilu([2, 3, 4], upper, 1),
    trilu([4, 3], upper, -1),
    trilu([2, 2], upper, 5),
  ]),
  ReverseSequence: [
    { name: "time first", inputs: [spread([4, 2, 3]), int64([2], [3, 2])], wrt: [0] },
    {
      name: "batch first",
      inputs: [spread([2, 4]), int64([2], [1, 4])],
      attributes: { batch_axis: int(0), time_axis: int(1) },
      wrt: [0],
    },
  ],
}
