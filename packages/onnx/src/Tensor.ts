import { InvalidTensor } from "./Errors.ts"

/** Element types of ONNX tensors, by the names that ONNX Runtime's JavaScript API uses where it has them. */
export type ElementType =
  | "float32"
  | "float16"
  | "bfloat16"
  | "float64"
  | "int8"
  | "int16"
  | "int32"
  | "int64"
  | "uint8"
  | "uint16"
  | "uint32"
  | "uint64"
  | "bool"
  | "string"

/** Arrays that hold tensor elements; `float16` and `bfloat16` are kept as their 16-bit patterns, `bool` as bytes. */
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | readonly string[]

/** A dense tensor in row-major order. A rank-0 tensor has `dims: []` and one element. */
export interface Tensor {
  readonly type: ElementType
  readonly dims: readonly number[]
  readonly data: TensorData
}

/** A tensor whose elements are 32-bit floats. */
export interface Float32Tensor extends Tensor {
  readonly type: "float32"
  readonly data: Float32Array
}

const arrays = {
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const

/** Bytes per element; strings have none. */
export const bytesPerElement = (type: ElementType): number => (type === "string" ? 0 : arrays[type].BYTES_PER_ELEMENT)

/** Number of elements of a shape: the product of its dimensions, 1 for rank 0. */
export const elementCount = (dims: readonly number[]): number => dims.reduce((product, dim) => product * dim, 1)

/** Makes a tensor and checks that the data have as many elements as the shape and the array that the type needs. */
export const tensor = (type: ElementType, dims: readonly number[], data: TensorData): Tensor => {
  const expected = elementCount(dims)
  if (data.length !== expected) {
    throw new InvalidTensor({
      message: `tensor of type ${type} and shape [${dims}] has the wrong number of elements`,
      expected: `${expected} elements`,
      found: `${data.length}`,
    })
  }
  if (type === "string" ? !Array.isArray(data) : !(data instanceof arrays[type])) {
    throw new InvalidTensor({
      message: `tensor of type ${type} and shape [${dims}] holds another kind of array`,
      expected: type === "string" ? "an array of strings" : arrays[type].name,
      found: data.constructor.name,
    })
  }
  return { type, dims, data }
}

/** A `float32` tensor from numbers. */
export const float32 = (dims: readonly number[], data: Float32Array | readonly number[]): Float32Tensor => {
  const array = data instanceof Float32Array ? data : Float32Array.from(data)
  tensor("float32", dims, array)
  return { type: "float32", dims, data: array }
}

/** An `int64` tensor from whole numbers; those beyond the type's range, as "to the end" reads back, are its ends. */
export const int64 = (dims: readonly number[], data: readonly number[]): Tensor =>
  tensor("int64", dims, BigInt64Array.from(data, toInt64))

/** A whole number as a 64-bit integer, clamped to the range of the type. */
export const toInt64 = (value: number): bigint => {
  if (value >= 2 ** 63) return 2n ** 63n - 1n
  if (value <= -(2 ** 63)) return -(2n ** 63n)
  if (Number.isInteger(value)) return BigInt(value)
  throw new InvalidTensor({ message: `${value} is not a whole number`, expected: "int64", found: `${value}` })
}

/** An `int32` tensor from whole numbers. */
export const int32 = (dims: readonly number[], data: readonly number[]): Tensor =>
  tensor("int32", dims, Int32Array.from(data))

/** A 64-bit integer tensor as a 32-bit one; what lies beyond its range, as "to the end" does, becomes its ends. */
export const toInt32 = (value: Tensor): Tensor =>
  tensor(
    "int32",
    value.dims,
    Int32Array.from(toNumbers(value), (number) => Math.min(Math.max(number, -(2 ** 31)), 2 ** 31 - 1)),
  )

/** A `bool` tensor from truth values. */
export const bool = (dims: readonly number[], data: readonly boolean[]): Tensor =>
  tensor(
    "bool",
    dims,
    Uint8Array.from(data, (value) => (value ? 1 : 0)),
  )

/** A zero-filled array for `count` elements of a numeric type. */
export const zeros = (type: Exclude<ElementType, "string">, count: number): Exclude<TensorData, readonly string[]> =>
  new arrays[type](count)

/**
 * The little-endian bytes of a numeric tensor, as a view on its data.
 * Strings have no fixed layout and end in `InvalidTensor`.
 */
export const bytesOf = (value: Tensor): Uint8Array => {
  if (!ArrayBuffer.isView(value.data)) {
    throw new InvalidTensor({ message: "string tensors have no raw bytes", found: value.type })
  }
  return new Uint8Array(value.data.buffer, value.data.byteOffset, value.data.byteLength)
}

/**
 * A tensor over little-endian bytes: a view where the alignment allows it, else a copy.
 * A length that does not fit the shape ends in `InvalidTensor`.
 */
export const fromBytes = (type: ElementType, dims: readonly number[], bytes: Uint8Array, name?: string): Tensor => {
  if (type === "string") throw new InvalidTensor({ message: "string tensors have no raw bytes", found: type })
  const size = bytesPerElement(type)
  const expected = elementCount(dims) * size
  if (bytes.byteLength !== expected) {
    throw new InvalidTensor({
      message: `raw data of ${name === undefined ? "a tensor" : `tensor ${name}`} do not fit its shape [${dims}]`,
      ...(name === undefined ? {} : { tensor: name }),
      expected: `${expected} bytes`,
      found: `${bytes.byteLength}`,
    })
  }
  const { buffer, byteOffset } = bytes
  const inPlace = buffer instanceof ArrayBuffer && byteOffset % size === 0
  return {
    type,
    dims,
    data: inPlace
      ? new arrays[type](buffer, byteOffset, elementCount(dims))
      : new arrays[type](new Uint8Array(bytes).buffer, 0, elementCount(dims)),
  }
}

/** The elements of a numeric tensor as JavaScript numbers, for small tensors such as shapes and axes. */
export const toNumbers = (value: Tensor): number[] => {
  if (value.type === "string") throw new InvalidTensor({ message: "a string tensor has no numbers", found: value.type })
  return Array.from(value.data, Number)
}
