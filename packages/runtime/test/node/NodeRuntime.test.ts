import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { float32, GraphBuilder } from "@tandem/onnx"
import { type HostFunction, Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"

/** A host kernel for the test below: doubles an array in place and tells its length. */
export const double: HostFunction = (arrays) => {
  const [values] = arrays["values"] ?? []
  if (!(values instanceof Float32Array)) throw new Error("expected floats")
  for (let i = 0; i < values.length; i++) values[i] = values[i]! * 2
  return values.length
}

const square = () => {
  const g = new GraphBuilder()
  const x = g.input("x", "float32", [2, 2])
  return g.build({ y: g.matmul(x, x) }, "square")
}
const identity = float32([2, 2], [1, 0, 0, 1])
const shear = float32([2, 2], [1, 1, 0, 1])

const withRuntime = <A, E>(body: Effect.Effect<A, E, Runtime | import("effect").Scope.Scope>) =>
  Effect.runPromise(Effect.scoped(body).pipe(Effect.provide(layer({ threads: 1 }))))

describe("NodeRuntime", () => {
  it("compiles and runs a graph", async () => {
    const y = await withRuntime(
      Effect.gen(function* () {
        const runtime = yield* Runtime
        const executable = yield* runtime.compile(square())
        const out = yield* executable.run({ x: shear })
        return out["y"]
      }),
    )
    assert.deepEqual([...(y?.data ?? [])], [1, 2, 0, 1])
  })

  it("keeps buffers resident, swaps one that a run reads and writes, and runs host kernels on them", async () => {
    const data = await withRuntime(
      Effect.gen(function* () {
        const runtime = yield* Runtime
        const executable = yield* runtime.compile(square())
        const buffer = yield* runtime.upload(shear)
        const returned = yield* executable.run({ x: buffer }, { into: { y: buffer } })
        assert.deepEqual(returned, {})
        yield* executable.run({ x: buffer }, { into: { y: buffer } })
        const length = yield* runtime.call({ module: import.meta.url, name: "double" }, { values: [buffer] }, null)
        assert.equal(length, 4)
        return (yield* runtime.download(buffer)).data
      }),
    )
    assert.deepEqual([...data], [2, 8, 0, 2])
  })

  it("names an input that is missing or does not fit", async () => {
    const errors = await withRuntime(
      Effect.gen(function* () {
        const executable = yield* (yield* Runtime).compile(square())
        const missing = yield* Effect.flip(executable.run({}))
        const wrong = yield* Effect.flip(executable.run({ x: float32([1, 2], [1, 2]) }))
        return [missing, wrong] as const
      }),
    )
    assert.deepEqual(
      errors.map((error) => [error._tag, error.field, error.expected, error.found]),
      [
        ["RunFailed", "x", "float32[2,2]", undefined],
        ["RunFailed", "x", "float32[2,2]", "float32[1,2]"],
      ],
    )
  })

  it("refuses a device that cannot be had, with a hint, and tells when auto falls back", async () => {
    const refused = await Effect.runPromise(
      Effect.flip(Effect.scoped(Effect.provide(Runtime, layer({ device: "cuda" })))),
    )
    assert.equal(refused._tag, "ProviderUnavailable")
    assert.match(refused.hint ?? "", /npm rebuild onnxruntime-node/)
    const device = await Effect.runPromise(
      Effect.gen(function* () {
        return (yield* Runtime).device
      }).pipe(Effect.provide(layer({ device: "auto" }))),
    )
    assert.equal(device.provider, "cpu")
    assert.equal(device.fallbacks.length, 2)
  })

  it("reports a graph that does not compile", async () => {
    const graph = square()
    const broken = { ...graph, nodes: graph.nodes.map((node) => ({ ...node, op: "NoSuchOperator" })) }
    const error = await withRuntime(
      Effect.gen(function* () {
        return yield* Effect.flip((yield* Runtime).compile(broken))
      }),
    )
    assert.equal(error._tag, "CompileFailed")
    assert.match(error.message, /NoSuchOperator/)
    assert.deepEqual([...identity.data], [1, 0, 0, 1])
  })
})
