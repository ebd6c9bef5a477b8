import { int64 } from "@tandem/onnx"
import { type Case, type Cases, int, spread } from "./Values.ts"

interface Options {
  readonly length?: number
  readonly axis?: number
  readonly inverse?: number
  readonly oneSided?: number
}

const dft = (dims: readonly number[], { length, axis, inverse, oneSided }: Options = {}): Case => ({
  name: `[${dims}] length ${length} axis ${axis} inverse ${inverse} onesided ${oneSided}`,
  inputs: [
    spread(dims),
    length === undefined ? undefined : int64([], [length]),
    axis === undefined ? undefined : int64([], [axis]),
  ],
  attributes: {
    ...(inverse === undefined ? {} : { inverse: int(inverse) }),
    ...(oneSided === undefined ? {} : { onesided: int(oneSided) }),
  },
  wrt: [0],
})

export const transformCases: Cases = {
  DFT: [
    dft([2, 4, 1]),
    dft([2, 5, 2]),
    dft([2, 6, 2], { inverse: 1 }),
    dft([3, 4, 2], { axis: 0 }),
    dft([3, 4, 1], { axis: -2, oneSided: 1 }),
    dft([2, 5, 1], { oneSided: 1 }),
    dft([1, 6, 2], { length: 4 }),
    dft([1, 4, 1], { length: 7 }),
  ],
}
