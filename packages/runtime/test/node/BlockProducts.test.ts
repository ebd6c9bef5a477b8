// Products by matrices of few bits are computed as ONNX Runtime's own operators compute them, by other operators.
import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { float32, type Graph, GraphBuilder, int, int32, type Tensor, toNumbers, type Value } from "@tandem/onnx"
import { Effect } from "effect"
import { blockProducts } from "../../src/internal/blockProducts.ts"
import { layer } from "../../src/node/NodeRuntime.ts"
import { Runtime } from "../../src/Runtime.ts"
import { layer as webLayer } from "../../src/web/WebRuntime.ts"

const runs = {
  node: layer({ threads: 1 }),
  wasm: webLayer({ device: "wasm" }),
}

const run = (graph: Graph, inputs: Readonly<Record<string, Tensor>>, runtime: keyof typeof runs = "node") =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        return yield* (yield* (yield* Runtime).compile(graph)).run(inputs)
      }),
    ).pipe(Effect.provide(runs[runtime])),
  )

const bytes = (dims: readonly number[]): Tensor => {
  const length = dims.reduce((a, b) => a * b, 1)
  return { type: "uint8", dims, data: Uint8Array.from({ length }, (_, index) => (index * 151 + 40) % 256) }
}
const numbers = (dims: readonly number[]): Tensor => {
  const length = dims.reduce((a, b) => a * b, 1)
  return float32(
    dims,
    Array.from({ length }, (_, index) => ((index * 37) % 101) / 101 - 0.5),
  )
}

const [outputs, inputs, blockSize] = [6, 96, 32]
const blocks = inputs / blockSize

/** x · Wᵀ and, of its result, · W once more; `shown` puts W out, so that looking it up stays. */
const graphOf = (bits: number, zeroPoints: boolean, shown: boolean) => {
  const g = new GraphBuilder()
  const feeds: Record<string, Tensor> = {}
  const input = (name: string, value: Tensor): Value => {
    feeds[name] = value
    return g.input(name, value.type, value.dims)
  }
  const x = input("x", numbers([2, 5, inputs]))
  const codes = input("codes", bytes([outputs, blocks, (blockSize * bits) / 8]))
  const scales = input("scales", numbers([outputs, blocks]))
  const zeros = zeroPoints ? input("zeros", bytes([outputs, Math.ceil((blocks * bits) / 8)])) : undefined
  const domain = "com.microsoft"
  const sizes = { bits: int(bits), block_size: int(blockSize) }
  const y = g.op("MatMulNBits", [x, codes, scales, zeros], {
    domain,
    attributes: { K: int(inputs), N: int(outputs), ...sizes },
  })[0]!
  const rows = g.constant(int32([outputs], [...Array(outputs).keys()]))
  const w = g.op("GatherBlockQuantized", [g.reshape(codes, [outputs, (inputs * bits) / 8]), rows, scales, zeros], {
    domain,
    attributes: { ...sizes, gather_axis: int(0), quantize_axis: int(1) },
  })[0]!
  const back = g.matmul(g.reshape(y, [10, outputs]), w)
  return { graph: g.build({ y, back, ...(shown ? { w } : {}) }), feeds }
}

describe("products by matrices of few bits", () => {
  for (const bits of [4, 8]) {
    for (const zeroPoints of [false, true]) {
      it(`${bits} bits${zeroPoints ? ", zero points" : ""}: the same numbers without the operators`, async () => {
        const { graph, feeds } = graphOf(bits, zeroPoints, false)
        const changed = blockProducts(graph)
        assert.deepEqual(
          changed.nodes.filter(({ domain }) => domain !== ""),
          [],
        )
        const asWritten = graphOf(bits, zeroPoints, true)
        const w = (await run(asWritten.graph, feeds))["w"]!
        const [matrix, x] = [toNumbers(w), toNumbers(feeds["x"]!)]
        const y = Array.from({ length: 10 * outputs }, (_, at) => {
          const [row, output] = [Math.floor(at / outputs), at % outputs]
          return Array.from({ length: inputs }, (__, i) => x[row * inputs + i]! * matrix[output * inputs + i]!).reduce(
            (a, b) => a + b,
            0,
          )
        })
        const back = Array.from({ length: 10 * inputs }, (_, at) => {
          const [row, column] = [Math.floor(at / inputs), at % inputs]
          return Array.from(
            { length: outputs },
            (__, i) => y[row * outputs + i]! * matrix[i * inputs + column]!,
          ).reduce((a, b) => a + b, 0)
        })
        for (const runtime of ["node", "wasm"] as const) {
          const found = await run(graph, feeds, runtime)
          for (const [name, expected] of [
            ["y", y],
            ["back", back],
          ] as const) {
            const size = Math.max(...expected.map(Math.abs))
            const off = Math.max(...toNumbers(found[name]!).map((value, at) => Math.abs(value - expected[at]!)))
            assert.ok(off < 1e-5 * size, `${name} is off by ${off} of ${size}`)
          }
          assert.deepEqual(found["y"]?.dims, [2, 5, outputs])
        }
      })
    }
  }

  it("constants, which ONNX Runtime packs, and other look-ups stay as they are", () => {
    const { graph, feeds } = graphOf(4, false, true)
    const isLookup = ({ op }: { readonly op: string }) => op === "GatherBlockQuantized"
    assert.equal(blockProducts(graph).nodes.filter(isLookup).length, 1)
    const constant = { ...graph, initializers: new Map([...graph.initializers, ["codes", feeds["codes"]!]]) }
    assert.deepEqual(blockProducts(constant).nodes, constant.nodes)
  })
})
