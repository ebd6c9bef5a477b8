import assert from "node:assert/strict"
import { it } from "node:test"
import { float32, GraphBuilder, int64, type Tensor, toNumbers } from "@tandem/onnx"
import { handOverWeights, Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"

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

it("counts what is too small to be normal as zero: what a mask hides weighs nothing", async () => {
  const g = new GraphBuilder()
  const graph = g.build({ y: g.softmax(g.input("x", "float32", [1, 3]), -1) }, "softmax")
  const weights = await Effect.runPromise(
    Effect.gen(function* () {
      const { run } = yield* (yield* Runtime).compile(graph)
      return toNumbers((yield* run({ x: float32([1, 3], [1, -1e9, 1]) }))["y"]!)
    }).pipe(Effect.scoped, Effect.provide(layer())),
  )
  assert.deepEqual(weights, [0.5, 0, 0.5])
})

it("hands weights over with their memory, but for memory that holds several", async () => {
  const memory = new Float32Array([1, 2, 3, 4])
  const half = (from: number): Tensor => ({ type: "float32", dims: [2], data: memory.subarray(from, from + 2) })
  const parameters = new Map([
    ["own", float32([2], [5, 6])],
    ["first", half(0)],
    ["second", half(2)],
  ])
  const found = await Effect.runPromise(
    Effect.gen(function* () {
      const weights = yield* handOverWeights(parameters)
      const { download } = yield* Runtime
      return yield* Effect.forEach(Object.values(weights), (weight) => Effect.map(download(weight), toNumbers))
    }).pipe(Effect.scoped, Effect.provide(layer())),
  )
  assert.deepEqual(found, [
    [5, 6],
    [1, 2],
    [3, 4],
  ])
  assert.equal(parameters.get("own")?.data.length, 0)
  assert.deepEqual([...memory], [1, 2, 3, 4])
})

it("reads constants of many bytes from beside the model, and leaves the graph's own as they are", async () => {
  const rows = 2 ** 21
  const data = Float32Array.from({ length: 2 * rows }, (_, index) => index % 7)
  const g = new GraphBuilder()
  const weight = g.constant({ type: "float32", dims: [rows, 2], data })
  const graph = g.build({ y: g.gather(weight, g.input("at", "int64", [2])) }, "rows")
  const found = await Effect.runPromise(
    Effect.gen(function* () {
      const { run } = yield* (yield* Runtime).compile(graph)
      return toNumbers((yield* run({ at: int64([2], [3, rows - 1]) }))["y"]!)
    }).pipe(Effect.scoped, Effect.provide(layer())),
  )
  assert.deepEqual(found, [...data.slice(6, 8), ...data.slice(-2)])
  assert.equal(data.length, 2 * rows)
})
