import { floats, type UpdateArgument } from "../Optimizer.ts"
import { adamwWasm } from "./adamwWasm.ts"

type Arrays = Readonly<Record<string, readonly unknown[]>>

/** The inner loops, four lanes at a time, over a small memory of their own (see wasm/adamw.wat). */
interface Loops {
  readonly memory: WebAssembly.Memory
  readonly squares: (address: number, count: number) => number
  readonly adamw: (w: number, g: number, m: number, v: number, count: number, ...settings: readonly number[]) => void
}

const isLoops = (exports: object): exports is Loops => "memory" in exports && "squares" in exports && "adamw" in exports

const bytes = Uint8Array.from(atob(adamwWasm), (character) => character.charCodeAt(0))
const exports: object = (await WebAssembly.instantiate(bytes)).instance.exports
if (!isLoops(exports)) throw new Error("the optimizer's WebAssembly module lacks an export")
const loops = exports
const memory = new Float32Array(loops.memory.buffer)

/** Elements that are worked on at once: four arrays of them fit the fast caches. A multiple of four. */
const chunk = 8192
const bytesPerChunk = chunk * Float32Array.BYTES_PER_ELEMENT

/** Copies a part into the loops' memory at a slot and fills up to a multiple of four with zeros; tells that length. */
const load = (slot: number, part: Float32Array): number => {
  const padded = Math.ceil(part.length / 4) * 4
  const at = slot * chunk
  memory.set(part, at)
  memory.fill(0, at + part.length, at + padded)
  return padded
}

const sumOfSquares = (values: Float32Array): number => {
  let sum = 0
  for (let from = 0; from < values.length; from += chunk) {
    sum += loops.squares(0, load(0, values.subarray(from, from + chunk)))
  }
  return sum
}

/** The sum of squares of each gradient. */
export const squares = (arrays: Arrays): readonly number[] => floats(arrays, "gradients").map(sumOfSquares)

/** One AdamW update of all arrays in place. */
export const adamw = (arrays: Arrays, argument: UpdateArgument): null => {
  const gradients = floats(arrays, "gradients")
  const first = floats(arrays, "first")
  const second = floats(arrays, "second")
  for (const [index, weight] of floats(arrays, "weights").entries()) {
    update([weight, gradients[index]!, first[index]!, second[index]!], argument, index)
  }
  return null
}

/** Weights, gradients, first and second moments, in the order of their slots. */
type State = readonly [Float32Array, Float32Array, Float32Array, Float32Array]

const update = (state: State, { factor, rates, decays, count, settings }: UpdateArgument, index: number): void => {
  const { beta1 = 0, beta2 = 0, epsilon = 0 } = settings
  const rate = rates[index]!
  const numbers = [
    beta1,
    (1 - beta1) * factor,
    beta2,
    (1 - beta2) * factor * factor,
    1 - rate * decays[index]!,
    rate / (1 - beta1 ** count),
    Math.sqrt(1 / (1 - beta2 ** count)),
    epsilon,
  ]
  for (let from = 0; from < state[0].length; from += chunk) {
    const parts = state.map((array) => array.subarray(from, from + chunk))
    const length = parts[0]!.length
    const padded = Math.max(...parts.map((part, slot) => load(slot, part)))
    loops.adamw(0, bytesPerChunk, 2 * bytesPerChunk, 3 * bytesPerChunk, padded, ...numbers)
    for (const slot of [0, 2, 3]) parts[slot]!.set(memory.subarray(slot * chunk, slot * chunk + length))
  }
}

/** Adds the gradients of one pass, times its weight, to the sum over several. */
export const accumulate = (arrays: Arrays, weight: number): null => {
  const sums = floats(arrays, "sums")
  for (const [index, gradient] of floats(arrays, "gradients").entries()) {
    const sum = sums[index]!
    for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + weight * gradient[i]!
  }
  return null
}

/** Sets arrays to zero. */
export const clear = (arrays: Arrays): null => {
  for (const array of floats(arrays, "sums")) array.fill(0)
  return null
}
