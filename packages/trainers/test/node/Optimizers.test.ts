// What every optimizer promises. A new one joins by a row: its maker, and one update of one number in float64.
import assert from "node:assert/strict"
import { test } from "node:test"
import { float32, type Tensor } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import {
  adamW,
  lion,
  type Optimizer,
  optimize,
  residentState,
  type UpdateNorms,
  type UpdateSettings,
} from "@tandem/trainers"
import { Effect } from "effect"

interface Number64 {
  readonly weight: number
  readonly gradient: number
  readonly slots: Readonly<Record<string, number>>
  readonly rate: number
  readonly decay: number
  readonly count: number
}
type Reference = (now: Number64) => { readonly weight: number; readonly slots: Readonly<Record<string, number>> }

const optimizers: readonly (readonly [Optimizer, Reference])[] = [
  [
    adamW({ beta1: 0.8, beta2: 0.95, epsilon: 1e-6 }),
    ({ weight, gradient, slots, rate, decay, count }) => {
      const first = 0.8 * slots["first"]! + 0.2 * gradient
      const second = 0.95 * slots["second"]! + 0.05 * gradient ** 2
      const [mean, spread] = [first / (1 - 0.8 ** count), second / (1 - 0.95 ** count)]
      const moved = weight * (1 - rate * decay) - (rate * mean) / (Math.sqrt(spread) + 1e-6)
      return { weight: moved, slots: { first, second } }
    },
  ],
  [
    lion({ beta1: 0.8, beta2: 0.95 }),
    ({ weight, gradient, slots, rate, decay }) => {
      const direction = Math.sign(0.8 * slots["momentum"]! + 0.2 * gradient)
      const moved = weight * (1 - rate * decay) - rate * direction
      return { weight: moved, slots: { momentum: 0.95 * slots["momentum"]! + 0.05 * gradient } }
    },
  ],
]

const wave = (dims: readonly number[], seed: number): Tensor =>
  float32(
    dims,
    Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, (_, i) => Math.sin(seed + 1.37 * i)),
  )
const parameters = new Map([
  ["query/table", wave([60, 90], 1)],
  ["query/bias", wave([90], 3)],
  ["generator/weight", wave([40, 30], 2)],
])
const names = [...parameters.keys()]
const gradientOf = (name: string, count: number) => wave(parameters.get(name)!.dims, name.length + count)
const settings = {
  clip: 5,
  weightDecay: 0.1,
  groups: [{ pattern: "generator/*", rateScale: 3, weightDecay: 0.2 }],
} as const

interface Updated {
  readonly norms: readonly UpdateNorms[]
  readonly weights: ReadonlyMap<string, Tensor>
  readonly slots: Readonly<Record<string, ReadonlyMap<string, Tensor>>>
}

/** The updates of those counts, from nothing or from what an earlier call left. */
const run = (
  optimizer: Optimizer,
  counts: readonly number[],
  { threads = 1, from, spoil }: { threads?: number; from?: Updated; spoil?: boolean } = {},
): Promise<Updated> =>
  Effect.gen(function* () {
    const runtime = yield* Runtime
    const state = yield* residentState(parameters, names, { optimizer, restored: from })
    const update: UpdateSettings = { optimizer, ...settings }
    const norms: UpdateNorms[] = []
    for (const count of counts) {
      for (const [index, name] of names.entries()) {
        const gradient = gradientOf(name, count)
        const spoilt = float32(gradient.dims, Array<number>(gradient.data.length).fill(Number.NaN))
        yield* runtime.write(state.gradients[index]!, spoil === true && index === 1 ? spoilt : gradient)
      }
      norms.push(yield* optimize(state, update, { learningRate: 0.01, count }))
    }
    const weights = new Map<string, Tensor>()
    for (const name of names) weights.set(name, yield* runtime.download(state.weights[name]!))
    const slots: Record<string, ReadonlyMap<string, Tensor>> = {}
    for (const [slot, buffers] of Object.entries(state.slots)) {
      const held = new Map<string, Tensor>()
      for (const [index, name] of names.entries()) held.set(name, yield* runtime.download(buffers[index]!))
      slots[slot] = held
    }
    return { norms, weights, slots }
  }).pipe(Effect.scoped, Effect.provide(layer({ threads })), Effect.runPromise)

for (const [optimizer, reference] of optimizers) {
  const { name, slots } = optimizer

  test(`${name}: updates are those of its formula, group by group, clipped by the norm of all`, async () => {
    const found = await run(optimizer, [1, 2, 3])
    for (const parameter of names) {
      const generator = parameter.startsWith("generator/")
      const rate = generator ? 0.03 : 0.01
      const decay = parameter.endsWith("bias") ? 0 : generator ? 0.2 : 0.1
      for (const at of [0, 17, 29]) {
        let weight = Number(parameters.get(parameter)!.data[at])
        let memory: Readonly<Record<string, number>> = Object.fromEntries(Object.keys(slots).map((slot) => [slot, 0]))
        for (const count of [1, 2, 3]) {
          const squares = names.flatMap((each) => Array.from(gradientOf(each, count).data, Number).map((g) => g ** 2))
          const norm = Math.sqrt(squares.reduce((sum, square) => sum + square, 0))
          assert.ok(Math.abs(found.norms[count - 1]!.gradNorm / norm - 1) < 1e-6)
          const gradient = (Number(gradientOf(parameter, count).data[at]) * 5) / norm
          ;({ weight, slots: memory } = reference({ weight, gradient, slots: memory, rate, decay, count }))
        }
        assert.ok(Math.abs(Number(found.weights.get(parameter)!.data[at]) - weight) < 2e-6, `${parameter} ${at}`)
        for (const [slot, value] of Object.entries(memory))
          assert.ok(Math.abs(Number(found.slots[slot]!.get(parameter)!.data[at]) - value) < 1e-6, `${slot} ${at}`)
      }
    }
    const { gradNorm, parts } = found.norms[0]!
    assert.deepEqual(Object.keys(parts), ["query", "generator"])
    assert.ok(Math.abs(Math.hypot(...Object.values(parts)) / gradNorm - 1) < 1e-9)
  })

  test(`${name}: the numbers do not depend on the threads, and restored memory goes on to the same bits`, async () => {
    const whole = await run(optimizer, [1, 2, 3])
    assert.deepEqual(await run(optimizer, [1, 2, 3], { threads: 2 }), whole)
    const resumed = await run(optimizer, [2, 3], { from: await run(optimizer, [1]) })
    assert.deepEqual([resumed.weights, resumed.slots], [whole.weights, whole.slots])
  })

  test(`${name}: a gradient that is not finite changes nothing`, async () => {
    const { norms, weights, slots: held } = await run(optimizer, [1], { spoil: true })
    assert.ok(Number.isNaN(norms[0]!.gradNorm))
    assert.deepEqual(weights, parameters)
    for (const slot of Object.values(held))
      for (const { data } of slot.values()) assert.ok(Array.from(data, Number).every((value) => value === 0))
  })
}
