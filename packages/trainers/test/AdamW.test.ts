// The optimizer's loops against plain ones in float64.
import assert from "node:assert/strict"
import { test } from "node:test"
import { clipping, decaysByDefault } from "@tandem/trainers"
import { accumulate, adamw, clear, squares } from "../src/internal/adamwKernel.ts"

interface Settings {
  readonly learningRate: number
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  readonly weightDecay: number
  readonly count: number
  readonly clip: number
  readonly scale: number
  /** For each array whether it decays. */
  readonly decay: readonly boolean[]
}

const settings: Settings = {
  learningRate: 1e-2,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.1,
  count: 1,
  clip: 0,
  scale: 1,
  decay: [true],
}

/** Numbers in −1 … 1 that repeat late. */
const numbers = (length: number, seed: number, size = 1): Float32Array =>
  Float32Array.from({ length }, (_, index) => size * Math.sin(seed + index * 1.37 + (index % 7) ** 2))

interface State {
  readonly weights: Float32Array[]
  readonly gradients: Float32Array[]
  readonly first: Float32Array[]
  readonly second: Float32Array[]
}

const stateOf = (lengths: readonly number[]): State => ({
  weights: lengths.map((length, index) => numbers(length, index)),
  gradients: lengths.map((length, index) => numbers(length, index + 50)),
  first: lengths.map((length, index) => numbers(length, index + 99, 0.1)),
  second: lengths.map((length, index) => numbers(length, index + 150, 0.1).map((value) => value * value)),
})

const copyOf = (state: State): State => structuredClone(state)

/** Loshchilov & Hutter's update, one number at a time; returns the norm before clipping. */
const plain = (state: State, { clip, scale, decay, ...s }: Settings): number => {
  const norm = Math.sqrt(
    state.gradients.flatMap((array) => Array.from(array)).reduce((sum, g) => sum + (g * scale) ** 2, 0),
  )
  const clipped = clip === 0 || norm + 1e-6 <= clip ? 1 : clip / (norm + 1e-6)
  for (const [index, weights] of state.weights.entries()) {
    for (let i = 0; i < weights.length; i++) {
      const g = state.gradients[index]![i]! * scale * clipped
      const m = s.beta1 * state.first[index]![i]! + (1 - s.beta1) * g
      const v = s.beta2 * state.second[index]![i]! + (1 - s.beta2) * g * g
      const decayed = weights[i]! * (1 - (decay[index] === true ? s.learningRate * s.weightDecay : 0))
      const [mean, spread] = [m / (1 - s.beta1 ** s.count), v / (1 - s.beta2 ** s.count)]
      weights[i] = decayed - (s.learningRate * mean) / (Math.sqrt(spread) + s.epsilon)
      state.first[index]![i] = m
      state.second[index]![i] = v
    }
  }
  return norm
}

/** The kernels in the order of an update; returns the norm before clipping. */
const kernel = (state: State, argument: Settings): number => {
  const { norm, factor } = clipping(squares({ ...state }), argument)
  const { count, learningRate, weightDecay, beta1, beta2, epsilon } = argument
  const rates = state.weights.map(() => learningRate)
  const decays = state.weights.map((_, index) => (argument.decay[index] === true ? weightDecay : 0))
  adamw({ ...state }, { count, factor, rates, decays, settings: { beta1, beta2, epsilon } })
  return norm
}

const difference = (a: State, b: State): number => {
  let worst = 0
  for (const part of ["weights", "first", "second"] as const) {
    for (const [index, array] of a[part].entries()) {
      for (const [i, value] of array.entries()) {
        worst = Math.max(worst, Math.abs(value - b[part][index]![i]!))
      }
    }
  }
  return worst
}

const lengths = [1, 2, 3, 4, 5, 8191, 8192, 8193, 20_001]

test("updates of arrays of any length are those of a plain loop", (t) => {
  const state = stateOf(lengths)
  const expected = copyOf(state)
  let worst = 0
  for (let count = 1; count <= 5; count++) {
    const argument = { ...settings, count, decay: lengths.map((_, index) => index % 2 === 0) }
    const norm = kernel(state, argument)
    assert.ok(Math.abs(norm / plain(expected, argument) - 1) < 1e-6)
    worst = Math.max(worst, difference(state, expected))
  }
  t.diagnostic(`largest difference ${worst.toExponential(1)}`)
  assert.ok(worst <= 2e-6, `${worst}`)
})

test("gradients are untouched", () => {
  const state = stateOf(lengths)
  const before = copyOf(state)
  kernel(state, settings)
  assert.deepEqual(state.gradients, before.gradients)
})

test("clipping scales all arrays by one factor, and only where the norm is larger", () => {
  for (const clip of [0.5, 1e6]) {
    const state = stateOf([5, 8193])
    const expected = copyOf(state)
    const argument = { ...settings, clip, decay: [true, false] }
    const norm = kernel(state, argument)
    assert.ok(Math.abs(norm / plain(expected, argument) - 1) < 1e-6)
    assert.ok(norm > 0.5 && norm < 1e6)
    assert.ok(difference(state, expected) <= 1e-6)
    const unclipped = stateOf([5, 8193])
    kernel(unclipped, { ...argument, clip: 0 })
    assert.equal(difference(state, unclipped) === 0, clip === 1e6)
  }
})

test("a sum over batches is scaled before its norm is taken", () => {
  const state = stateOf([6])
  const expected = copyOf(state)
  const argument = { ...settings, scale: 0.25, clip: 0.1 }
  assert.ok(Math.abs(kernel(state, argument) - plain(expected, argument)) < 1e-6)
  assert.ok(difference(state, expected) <= 1e-6)
})

for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
  test(`a gradient that holds ${bad} has no finite norm`, () => {
    const state = stateOf([5, 8193])
    state.gradients[1]![8192] = bad
    assert.ok(!Number.isFinite(clipping(squares({ ...state }), settings).norm))
  })
}

test("the norm of many large numbers does not overflow", () => {
  const state = stateOf([10])
  state.gradients[0]!.fill(1e30)
  assert.ok(Math.abs(kernel(state, { ...settings, clip: 1 }) / (1e30 * Math.sqrt(10)) - 1) < 1e-6)
  for (const array of [state.weights[0]!, state.first[0]!, state.second[0]!]) assert.ok(array.every(Number.isFinite))
})

test("a parameter without gradient decays and does no more", () => {
  const zeros = () => [new Float32Array(9)]
  const weights = [numbers(9, 1)]
  const before = weights[0]!.slice()
  kernel({ weights, gradients: zeros(), first: zeros(), second: zeros() }, settings)
  for (const [i, value] of weights[0]!.entries()) assert.ok(Math.abs(value - before[i]! * (1 - 1e-3)) < 1e-7)
})

test("sums start at nothing and add up, by weight", () => {
  const sums = [new Float32Array([7, 8, 9]), new Float32Array([1])]
  clear({ sums })
  for (let pass = 0; pass < 2; pass++) {
    accumulate({ sums, gradients: [new Float32Array([1, 2, 3]), new Float32Array([0.5])] }, 2)
  }
  assert.deepEqual(sums, [new Float32Array([4, 8, 12]), new Float32Array([2])])
})

test("biases and norms do not decay by default", () => {
  assert.deepEqual(
    [decaysByDefault("b", [4]), decaysByDefault("s", []), decaysByDefault("w", [4, 4])],
    [false, false, true],
  )
})
