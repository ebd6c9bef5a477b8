// ONNX Runtime, to run graphs with, and a batch for the encoders of the golden fixtures.
import * as ort from "onnxruntime-node"
import { type ElementType, type Graph, type Tensor, type TensorData, tensor, writeModel } from "../../src/index.ts"

const types: readonly ElementType[] = ["float32", "float64", "int8", "int32", "int64", "uint8", "bool", "float16"]

const fromOrt = (value: ort.Tensor): Tensor => {
  const type = types.find((name) => name === value.type)
  const data: unknown = value.data
  if (type === undefined) throw new Error(`unexpected element type ${value.type}`)
  if (data instanceof BigInt64Array || data instanceof Float32Array || data instanceof Int32Array) {
    return tensor(type, value.dims, data)
  }
  if (data instanceof Uint8Array || data instanceof Int8Array || data instanceof Float64Array) {
    return tensor(type, value.dims, data)
  }
  if (data instanceof Uint16Array) return tensor(type, value.dims, data)
  throw new Error(`unexpected array for ${value.type}`)
}

const toOrt = ({ type, dims, data }: Tensor): ort.Tensor => {
  switch (type) {
    case "int64":
      if (data instanceof BigInt64Array) return new ort.Tensor("int64", data, dims)
      break
    case "int32":
      if (data instanceof Int32Array) return new ort.Tensor("int32", data, dims)
      break
    case "bool":
      if (data instanceof Uint8Array) return new ort.Tensor("bool", data, dims)
      break
    case "uint8":
      if (data instanceof Uint8Array) return new ort.Tensor("uint8", data, dims)
      break
    case "int8":
      if (data instanceof Int8Array) return new ort.Tensor("int8", data, dims)
      break
    case "float32":
      if (data instanceof Float32Array) return new ort.Tensor("float32", data, dims)
      break
    case "float64":
      if (data instanceof Float64Array) return new ort.Tensor("float64", data, dims)
      break
    default:
  }
  throw new Error(`no feed of type ${type}`)
}

/** Runs a graph, or the bytes of a model, by ONNX Runtime as it is written, without its own rewriting. */
export const run = async (
  model: Graph | Uint8Array,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Record<string, Tensor>> => {
  const session = await ort.InferenceSession.create(model instanceof Uint8Array ? model : writeModel(model), {
    graphOptimizationLevel: "disabled",
    intraOpNumThreads: 1,
    logSeverityLevel: 3,
  })
  const given = Object.fromEntries(
    session.inputNames.map((name) => {
      const value = feeds[name]
      if (value === undefined) throw new Error(`input ${name} is not fed`)
      return [name, toOrt(value)]
    }),
  )
  const results = await session.run(given)
  await session.release()
  return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromOrt(value)]))
}

/** A batch of 3 × 10 for the encoders, the last two rows padded. */
export const batch: Readonly<Record<string, Tensor>> = {
  input_ids: integers((row, column) => (column < 10 - 3 * row ? 5 + ((row * 37 + column * 11) % 110) : 0)),
  attention_mask: integers((row, column) => (column < 10 - 3 * row ? 1 : 0)),
  token_type_ids: integers((row, column) => (column >= 5 && column < 10 - 3 * row ? 1 : 0)),
}

function integers(value: (row: number, column: number) => number): Tensor {
  const data = Array.from({ length: 30 }, (_, index) => BigInt(value(Math.floor(index / 10), index % 10)))
  return tensor("int64", [3, 10], BigInt64Array.from(data))
}

const numbers = (data: TensorData): readonly number[] => Array.from(data, Number)

/** Largest absolute difference; infinite where shapes or types differ, or exactly one is NaN. */
export const distance = (a: Tensor | undefined, b: Tensor | undefined): number => {
  if (a === undefined || b === undefined || a.type !== b.type || `${a.dims}` !== `${b.dims}`) return Infinity
  const right = numbers(b.data)
  return numbers(a.data).reduce((largest, left, index) => {
    const other = right[index] ?? Number.NaN
    if (Object.is(left, other) || left === other) return largest
    const difference = Math.abs(left - other)
    return Number.isNaN(difference) ? Infinity : Math.max(largest, difference)
  }, 0)
}

/** Fails unless two graphs over the same inputs give the same outputs within `tolerance`. */
export const assertEqualResults = async (
  before: Graph | Uint8Array,
  after: Graph,
  feeds: Readonly<Record<string, Tensor>>,
  tolerance: number,
): Promise<void> => {
  const expected = await run(before, feeds)
  const found = await run(after, feeds)
  const names = Object.keys(expected)
  if (names.join() !== Object.keys(found).join()) throw new Error(`outputs ${names} became ${Object.keys(found)}`)
  for (const name of names) {
    const difference = distance(expected[name], found[name])
    if (!(difference <= tolerance)) throw new Error(`output ${name} differs by ${difference}`)
  }
}
