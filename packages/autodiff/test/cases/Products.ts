import type { Tensor } from "@tandem/onnx"
import { type Case, type Cases, int, real, scalar, spread } from "./Values.ts"

const pair = (name: string, a: readonly number[], b: readonly number[]): Case => ({
  name,
  inputs: [spread(a, -1.5, 1.7, 1), spread(b, -1.4, 1.6, 2)],
  wrt: [0, 1],
})

const flags = [0, 1].flatMap((transA) => [0, 1].map((transB) => ({ transA, transB })))
const turned = (dims: readonly number[], turn: number): readonly number[] =>
  turn === 1 ? [...dims.slice(0, -2), ...dims.slice(-1), ...dims.slice(-2, -1)] : dims

const biases: readonly (readonly [string, Tensor | undefined])[] = [
  ["no bias", undefined],
  ["bias by column", spread([4])],
  ["bias as a row", spread([1, 4])],
  ["bias by row", spread([2, 1])],
  ["bias matrix", spread([2, 4])],
  ["bias scalar", scalar(0.7)],
]

export const productCases: Cases = {
  MatMul: [
    pair("matrices", [2, 3], [3, 4]),
    pair("rows and columns of 1", [1, 3], [3, 1]),
    pair("inner dimension of 1", [2, 1], [1, 4]),
    pair("batched", [2, 5, 3], [2, 3, 4]),
    pair("four axes", [2, 2, 3, 4], [2, 2, 4, 3]),
    pair("batch against a matrix", [2, 5, 3], [3, 4]),
    pair("two batch axes against a matrix", [2, 2, 5, 3], [3, 4]),
    pair("matrix against a batch", [5, 3], [2, 3, 4]),
    pair("batch axes broadcast both ways", [2, 1, 5, 3], [4, 3, 2]),
    pair("batch axis of 1 on the left", [1, 5, 3], [2, 3, 4]),
    pair("batch axis of 1 on the right", [2, 5, 3], [1, 3, 4]),
    pair("vector by vector", [3], [3]),
    pair("vector by matrix", [3], [3, 4]),
    pair("matrix by vector", [2, 3], [3]),
    pair("vector by batch", [3], [2, 3, 4]),
    pair("batch by vector", [2, 5, 3], [3]),
    pair("vector by two batch axes", [3], [2, 2, 3, 4]),
    pair("two batch axes by vector", [2, 2, 5, 3], [3]),
  ],
  Gemm: [
    ...flags.flatMap(({ transA, transB }) =>
      biases.map(([name, bias], index) => ({
        name: `${name}, transA ${transA}, transB ${transB}`,
        inputs: [spread(turned([2, 3], transA)), spread(turned([3, 4], transB), -1, 1.2, 2), bias],
        attributes: { transA: int(transA), transB: int(transB), alpha: real(0.5 + index), beta: real(2 - 0.3 * index) },
        wrt: bias === undefined ? [0, 1] : [0, 1, 2],
      })),
    ),
    { name: "defaults", inputs: [spread([2, 3]), spread([3, 4]), spread([4])], wrt: [0, 1, 2] },
  ],
  "com.microsoft.FusedMatMul": flags.flatMap(({ transA, transB }) =>
    (
      [
        ["matrices", [2, 3], [3, 4]],
        ["batched", [2, 5, 3], [2, 3, 4]],
        ["broadcast", [2, 1, 5, 3], [4, 3, 2]],
        ["batch against a matrix", [2, 5, 3], [3, 4]],
      ] as const
    ).map(([name, a, b]) => ({
      ...pair(`${name}, transA ${transA}, transB ${transB}`, turned(a, transA), turned(b, transB)),
      attributes: { transA: int(transA), transB: int(transB), alpha: real(1.7) },
    })),
  ),
}
