import { int64, string, type Tensor } from "@tandem/onnx"
import { type Case, type Cases, int, ints, numbers, scalar, spread } from "./Values.ts"

const x = spread([2, 3, 4])
const one = (name: string, ...inputs: readonly (Tensor | undefined)[]): Case => ({ name, inputs, wrt: [0] })

const blocks = (dims: readonly number[], blocksize: number, mode?: string): Case => ({
  name: `[${dims}] by ${blocksize} ${mode ?? ""}`,
  inputs: [spread(dims)],
  attributes: { blocksize: int(blocksize), ...(mode === undefined ? {} : { mode: string(mode) }) },
  wrt: [0],
})

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
    one("all axes from the end", spread([2, 3]), numbers(-5, -3, -1)),
  ],
  Expand: [
    one("axes of 1", spread([2, 1, 4]), numbers(2, 3, 4)),
    one("more axes", spread([3, 1]), numbers(2, 3, 4)),
    one("a shape smaller than the operand", x, numbers(3, 1)),
    one("a scalar", scalar(0.5), numbers(2, 2)),
    one("one to one", spread([1, 3]), numbers(1, 3)),
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
  DepthToSpace: [
    blocks([2, 8, 2, 3], 2),
    blocks([1, 8, 2, 3], 2, "DCR"),
    blocks([2, 8, 2, 3], 2, "CRD"),
    blocks([1, 9, 1, 2], 3, "CRD"),
  ],
  SpaceToDepth: [blocks([2, 3, 4, 6], 2), blocks([1, 1, 3, 6], 3)],
}
