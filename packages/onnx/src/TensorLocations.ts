import { WireType } from "@bufbuild/protobuf/wire"
import { InvalidModel } from "./Errors.ts"
import { externalPlace } from "./internal/external.ts"
import { typeNames } from "./internal/types.ts"
import { type ByteRange, type WireField, wireFields, wireIntegers, wireText } from "./internal/wire.ts"
import { bytesPerElement, type ElementType, elementCount } from "./Tensor.ts"

export type { ByteRange } from "./internal/wire.ts"

/** Where the data of a stored tensor lie. */
export interface TensorLocation {
  readonly name: string
  readonly type: ElementType
  readonly dims: readonly number[]
  /** Stretches of bytes that hold the little-endian elements, in order. */
  readonly ranges: readonly ByteRange[]
  /** The data file that the ranges refer to, relative to the model's folder; undefined for the model file itself. */
  readonly file: string | undefined
}

/**
 * Where a model file keeps the elements of its initializers and of its `Constant` nodes (by output name), found by
 * walking the wire format, without copying anything. Tensors whose elements have no fixed width in the file (integers
 * as varints, strings, types that this version does not know) and those of subgraphs are left out.
 *
 * Blanking these ranges in two files and comparing what is left shows whether anything but weights differs.
 */
export const tensorLocations = (bytes: Uint8Array): ReadonlyMap<string, TensorLocation> => {
  const locations = new Map<string, TensorLocation>()
  const add = (name: string, range: ByteRange): void => {
    const location = locate(bytes, name, range)
    if (location !== undefined) locations.set(location.name, location)
  }
  for (const field of wireFields(bytes, { start: 0, end: bytes.byteLength })) {
    if (field.number !== modelGraph || field.wire !== WireType.LengthDelimited) continue
    for (const entry of wireFields(bytes, field)) {
      if (entry.wire !== WireType.LengthDelimited) continue
      if (entry.number === graphInitializer) add("", entry)
      if (entry.number === graphNode) {
        const constant = constantNode(bytes, entry)
        if (constant !== undefined) add(constant.output, constant.tensor)
      }
    }
  }
  return locations
}

// Field numbers of the ONNX schema.
const modelGraph = 7
const graphNode = 1
const graphInitializer = 5
const nodeOutput = 2
const nodeType = 4
const nodeAttribute = 5
const attributeTensor = 5
const tensorDims = 1
const tensorType = 2
const tensorFloats = 4
const tensorName = 8
const tensorRaw = 9
const tensorDoubles = 10
const tensorExternal = 13
const tensorPlace = 14

const constantNode = (bytes: Uint8Array, node: ByteRange): { output: string; tensor: ByteRange } | undefined => {
  let op = ""
  let output = ""
  let tensor: ByteRange | undefined
  for (const field of wireFields(bytes, node)) {
    if (field.wire !== WireType.LengthDelimited) continue
    if (field.number === nodeType) op = wireText(bytes, field)
    if (field.number === nodeOutput) output = wireText(bytes, field)
    if (field.number !== nodeAttribute) continue
    for (const part of wireFields(bytes, field)) {
      if (part.number === attributeTensor && part.wire === WireType.LengthDelimited) tensor = part
    }
  }
  return op === "Constant" && tensor !== undefined ? { output, tensor } : undefined
}

const locate = (bytes: Uint8Array, named: string, tensor: ByteRange): TensorLocation | undefined => {
  const dims: number[] = []
  const external = new Map<string, string>()
  let [name, code, place] = [named, 0, 0]
  let raw: WireField | undefined
  const floats: ByteRange[] = []
  const doubles: ByteRange[] = []
  for (const field of wireFields(bytes, tensor)) {
    if (field.number === tensorDims) dims.push(...wireIntegers(bytes, field))
    if (field.number === tensorType) code = wireIntegers(bytes, field)[0] ?? 0
    if (field.number === tensorPlace) place = wireIntegers(bytes, field)[0] ?? 0
    if (field.number === tensorName && named === "") name = wireText(bytes, field)
    if (field.number === tensorRaw) raw = field
    if (field.number === tensorFloats) floats.push(field)
    if (field.number === tensorDoubles) doubles.push(field)
    if (field.number === tensorExternal) external.set(...entryOf(bytes, field))
  }
  const type = typeNames.get(code)
  if (type === undefined || type === "string") return undefined
  if (place === 1) {
    const { location, offset, length } = externalPlace(external, name, type, dims)
    return whole({ name, type, dims, ranges: [{ start: offset, end: offset + length }], file: location })
  }
  const typed = type === "float32" ? floats : type === "float64" ? doubles : []
  const ranges = raw !== undefined && raw.end > raw.start ? [raw] : typed
  if (ranges.length === 0) return undefined
  return whole({ name, type, dims, ranges: ranges.map(({ start, end }) => ({ start, end })), file: undefined })
}

const entryOf = (bytes: Uint8Array, entry: ByteRange): [string, string] => {
  let [key, value] = ["", ""]
  for (const field of wireFields(bytes, entry)) {
    if (field.number === 1) key = wireText(bytes, field)
    if (field.number === 2) value = wireText(bytes, field)
  }
  return [key, value]
}

/** The location, if its ranges hold as many bytes as its shape needs. */
const whole = (location: TensorLocation): TensorLocation => {
  const expected = elementCount(location.dims) * bytesPerElement(location.type)
  const found = location.ranges.reduce((sum, { start, end }) => sum + end - start, 0)
  if (found === expected) return location
  throw new InvalidModel({
    message: `raw data of tensor ${location.name} do not fit its shape [${location.dims}]`,
    tensor: location.name,
    expected: `${expected} bytes`,
    found: `${found}`,
  })
}
