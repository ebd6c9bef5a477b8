// The optimizer over resident buffers, in one thread and in several.
import assert from "node:assert/strict"
import { test } from "node:test"
import { float32, type Tensor } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { adamW, evenParts, optimize, type ResidentState, residentState } from "@tandem/trainers"
import { Effect } from "effect"

const numbers = (dims: readonly number[], seed: number): Tensor =>
  float32(
    dims,
    Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, (_, i) => Math.sin(seed + 1.37 * i)),
  )
const parameters = new Map([
  ["table", numbers([120, 90], 1)],
  ["weight", numbers([40, 30], 2)],
  ["bias", numbers([30], 3)],
  ["scale", numbers([], 4)],
])
const names = [...parameters.keys()]

/** Three updates by given gradients; tells norms, weights and moments. */
const updates = (threads: number, gradient: (name: string) => Tensor) =>
  Effect.gen(function* () {
    const runtime = yield* Runtime
    const state: ResidentState = yield* residentState(parameters, names, { optimizer: adamW() })
    const norms: number[] = []
    for (let count = 1; count <= 3; count++) {
      for (const [index, name] of names.entries()) yield* runtime.write(state.gradients[index]!, gradient(name))
      const { gradNorm } = yield* optimize(state, { optimizer: adamW() }, { learningRate: 0.01, count })
      norms.push(gradNorm)
    }
    const buffers = [...names.map((name) => state.weights[name]!), ...Object.values(state.slots).flat()]
    const arrays: unknown[] = []
    for (const buffer of buffers) arrays.push((yield* runtime.download(buffer)).data)
    return { norms, arrays }
  }).pipe(Effect.scoped, Effect.provide(layer({ threads })), Effect.runPromise)

const gradient = (name: string): Tensor => numbers(parameters.get(name)?.dims ?? [], name.length)

test("the numbers do not depend on the threads", async () => {
  const alone = await updates(1, gradient)
  assert.deepEqual(await updates(3, gradient), alone)
  const norm = Math.sqrt(
    names.flatMap((name) => Array.from(gradient(name).data, Number)).reduce((s, g) => s + g * g, 0),
  )
  for (const found of alone.norms) assert.ok(Math.abs(found / norm - 1) < 1e-6, `${found} instead of ${norm}`)
  assert.notDeepEqual(alone.arrays[0], parameters.get("table")?.data)
})

test("a gradient that is not finite changes nothing", async () => {
  for (const threads of [1, 2]) {
    const { norms, arrays } = await updates(threads, (name) =>
      name === "bias" ? float32([30], Array(30).fill(Number.NaN)) : gradient(name),
    )
    assert.ok(norms.every(Number.isNaN))
    assert.deepEqual(
      arrays.slice(0, names.length),
      names.map((name) => parameters.get(name)?.data),
    )
  }
})

test("parts are disjoint, complete and about equal", () => {
  const buffers = [5, 100, 40, 30, 30, 1].map((size, id) => ({ id, type: "float32" as const, dims: [size] }))
  assert.deepEqual(evenParts(buffers, 2), [
    [0, 1],
    [2, 3, 4, 5],
  ])
  assert.deepEqual(evenParts(buffers.slice(0, 1), 3), [[0]])
})
