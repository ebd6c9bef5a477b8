import { InvalidModel, InvalidTensor, UnsupportedModel } from "./Errors.ts"
import { toBfloat16, toFloat16 } from "./internal/half.ts"
import type { ExternalData } from "./Model.ts"
import { bytesOf, type Tensor } from "./Tensor.ts"
import { type TensorLocation, tensorLocations } from "./TensorLocations.ts"

/** What `writeBack` takes besides the file and the weights. */
export interface WriteBackOptions {
  /** File name for messages. */
  readonly file?: string
}

/** What `writeBackExternal` gives: the model file and those data files that hold one of the weights. */
export interface WrittenBack {
  readonly model: Uint8Array
  readonly files: ReadonlyMap<string, Uint8Array>
}

/**
 * A copy of a model file in which the elements of the named initializers (and of `Constant` nodes, by output name) are
 * replaced in place; every other byte stays as it is. `float32` weights are converted where the file keeps them as
 * `float16`, `bfloat16` (to the nearest, ties to even) or `float64`.
 *
 * A name that the file lacks, another shape or type, and a finite weight that is infinite as `float16` end in
 * `InvalidTensor`; a tensor that lies in a data file or as varints in `UnsupportedModel`; unreadable bytes in
 * `InvalidModel`.
 *
 * @example
 * ```ts
 * import { float32, GraphBuilder, readModel, writeBack, writeModel } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const w = g.initializer("w", float32([2], [1, 2]))
 * const file = writeModel(g.build({ y: g.mul(g.input("x", "float32", [2]), w) }))
 * const trained = writeBack(file, new Map([["w", float32([2], [3, 4])]]))
 * console.log(readModel(trained).initializers.get("w")?.data) // Float32Array(2) [ 3, 4 ]
 * ```
 */
export const writeBack = (
  bytes: Uint8Array,
  parameters: ReadonlyMap<string, Tensor>,
  options: WriteBackOptions = {},
): Uint8Array => {
  const copy = bytes.slice()
  for (const { location, elements } of replacements(bytes, parameters, options)) {
    if (location.file !== undefined) {
      throw new UnsupportedModel({
        message: `tensor ${location.name} lies in the data file ${location.file}`,
        ...options,
        tensor: location.name,
        hint: "use writeBackExternal",
      })
    }
    write(copy, location, elements)
  }
  return copy
}

/**
 * `writeBack` for a model whose tensors may lie in data files beside it: copies of the model file and of the data
 * files concerned. A weight whose bytes another tensor shares, but not its new values, ends in `InvalidModel`.
 */
export const writeBackExternal = (
  bytes: Uint8Array,
  parameters: ReadonlyMap<string, Tensor>,
  options: WriteBackOptions & { readonly external: ExternalData },
): WrittenBack => {
  const { external, ...rest } = options
  const model = bytes.slice()
  const files = new Map<string, Uint8Array>()
  const changes = replacements(bytes, parameters, rest)
  for (const { location, elements } of changes) {
    if (location.file === undefined) {
      write(model, location, elements)
      continue
    }
    const file = files.get(location.file) ?? external(location.file).slice()
    files.set(location.file, file)
    const end = location.ranges[0]?.end ?? 0
    if (end > file.byteLength) {
      throw new InvalidModel({
        message: `tensor ${location.name} reaches beyond the end of its data file`,
        file: location.file,
        tensor: location.name,
        expected: `at least ${end} bytes`,
        found: `${file.byteLength}`,
      })
    }
    write(file, location, elements)
  }
  checkShared(bytes, changes, files)
  return { model, files }
}

interface Replacement {
  readonly location: TensorLocation
  readonly elements: Uint8Array
}

const replacements = (
  bytes: Uint8Array,
  parameters: ReadonlyMap<string, Tensor>,
  options: WriteBackOptions,
): readonly Replacement[] => {
  const locations = tensorLocations(bytes)
  return [...parameters].map(([name, value]) => {
    const location = locations.get(name)
    if (location === undefined) {
      throw new InvalidTensor({
        message: `the model has no tensor ${name} whose data can be replaced in place`,
        ...options,
        tensor: name,
        hint: "names are those of the file's initializers; integers kept as varints have no fixed place",
      })
    }
    if (`${value.dims}` !== `${location.dims}`) {
      throw new InvalidTensor({
        message: `tensor ${name} has another shape than in the model`,
        ...options,
        tensor: name,
        expected: `[${location.dims}]`,
        found: `[${value.dims}]`,
      })
    }
    return { location, elements: encode(value, location, options) }
  })
}

/** The bytes that the file holds for these elements. */
const encode = (value: Tensor, { name, type }: TensorLocation, options: WriteBackOptions): Uint8Array => {
  if (value.type === type && value.type !== "string") return bytesOf(value)
  const { data } = value
  if (value.type !== "float32" || !(data instanceof Float32Array)) {
    throw mismatch(name, type, value.type, options)
  }
  switch (type) {
    case "float16": {
      const halves = Uint16Array.from(data, toFloat16)
      const overflow = halves.findIndex((half, index) => (half & 0x7fff) === 0x7c00 && Number.isFinite(data[index]))
      if (overflow >= 0) {
        throw new InvalidTensor({
          message: `element ${overflow} of tensor ${name} is too large for float16`,
          ...options,
          tensor: name,
          expected: "at most 65504",
          found: `${data[overflow]}`,
        })
      }
      return new Uint8Array(halves.buffer)
    }
    case "bfloat16":
      return new Uint8Array(Uint16Array.from(data, toBfloat16).buffer)
    case "float64":
      return new Uint8Array(Float64Array.from(data).buffer)
    default:
      throw mismatch(name, type, value.type, options)
  }
}

const mismatch = (name: string, expected: string, found: string, options: WriteBackOptions): InvalidTensor =>
  new InvalidTensor({
    message: `tensor ${name} has another element type than in the model`,
    ...options,
    tensor: name,
    expected,
    found,
  })

const write = (target: Uint8Array, location: TensorLocation, elements: Uint8Array): void => {
  let from = 0
  for (const { start, end } of location.ranges) {
    target.set(elements.subarray(from, from + end - start), start)
    from += end - start
  }
}

/** Data files may keep equal tensors once; writing one of them must not change another behind its back. */
const checkShared = (
  bytes: Uint8Array,
  changes: readonly Replacement[],
  files: ReadonlyMap<string, Uint8Array>,
): void => {
  const changed = new Map(changes.map((change) => [change.location.name, change.elements]))
  for (const location of tensorLocations(bytes).values()) {
    const file = location.file === undefined ? undefined : files.get(location.file)
    if (file === undefined) continue
    const elements = changed.get(location.name)
    const other = changes.find((change) => change.location.name !== location.name && overlap(change.location, location))
    if (other === undefined || (elements !== undefined && holds(file, location, elements))) continue
    throw new InvalidModel({
      message: `tensors ${location.name} and ${other.location.name} share bytes in ${location.file} and now differ`,
      ...(location.file === undefined ? {} : { file: location.file }),
      tensor: other.location.name,
      found: location.name,
    })
  }
}

const overlap = (a: TensorLocation, b: TensorLocation): boolean =>
  a.file === b.file &&
  a.ranges.some((left) => b.ranges.some((right) => left.start < right.end && right.start < left.end))

const holds = (file: Uint8Array, location: TensorLocation, elements: Uint8Array): boolean => {
  const start = location.ranges[0]?.start ?? 0
  for (let index = 0; index < elements.length; index++) if (file[start + index] !== elements[index]) return false
  return true
}
