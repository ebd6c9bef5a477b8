import { bytesOf, bytesPerElement, type ElementType, elementCount, fromBytes, type Tensor } from "@tandem/onnx"
import { InvalidSafetensors } from "./Errors.ts"
import { repeatedKey } from "./internal/Json.ts"
import { isRecord } from "./internal/Record.ts"

/** The tensors of a safetensors file by name, in the order of their bytes, and the file's own metadata. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly metadata: Readonly<Record<string, string>>
}

const types: ReadonlyMap<string, ElementType> = new Map([
  ["F64", "float64"],
  ["F32", "float32"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["I64", "int64"],
  ["I32", "int32"],
  ["I16", "int16"],
  ["I8", "int8"],
  ["U64", "uint64"],
  ["U32", "uint32"],
  ["U16", "uint16"],
  ["U8", "uint8"],
  ["BOOL", "bool"],
] as const)
const codes = new Map([...types].map(([code, type]) => [type, code]))

/** The reference implementation refuses longer headers too. */
const longestHeader = 100_000_000

/**
 * Reads a safetensors file. Tensors are views on `bytes` (a copy only where the alignment forbids a view), so do not
 * change the array afterwards. As the format demands, the tensors must cover the data without gap or overlap; whatever
 * contradicts that, the declared shapes or the file's length ends in `InvalidSafetensors`.
 */
export const readSafetensors = (bytes: Uint8Array, file?: string): Safetensors => {
  const headerEnd = safetensorsHeaderEnd(bytes, bytes.byteLength, file)
  const { entries, metadata } = safetensorsLayout(bytes.subarray(0, headerEnd), bytes.byteLength, file)
  const tensors = entries.map(
    ({ name, type, dims, start, end }) => [name, fromBytes(type, dims, bytes.subarray(start, end), name)] as const,
  )
  return { tensors: new Map(tensors), metadata }
}

/** Where a tensor lies in its file. */
export interface SafetensorsEntry {
  readonly name: string
  readonly type: ElementType
  readonly dims: readonly number[]
  /** Of its first byte and behind its last, counted from the start of the file. */
  readonly start: number
  readonly end: number
}

/**
 * Where the tensors of a safetensors file of `size` bytes lie, in the order of their bytes, and its metadata: all that
 * `head`, its bytes up to `safetensorsHeaderEnd`, says. It is checked as `readSafetensors` checks it.
 */
export const safetensorsLayout = (
  head: Uint8Array,
  size: number,
  file?: string,
): { readonly entries: readonly SafetensorsEntry[]; readonly metadata: Readonly<Record<string, string>> } => {
  const where = file === undefined ? {} : { file }
  const header = readHeader(head, where)
  const available = size - head.byteLength
  const entries = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]) => readEntry(name, entry, available, where))
    .sort((a, b) => a.start - b.start || a.end - b.end)
  let end = 0
  let before = "the header"
  for (const entry of entries) {
    if (entry.start !== end) {
      throw new InvalidSafetensors({
        message: `tensor ${entry.name} ${entry.start < end ? "overlaps" : "leaves a gap after"} ${before}`,
        ...where,
        tensor: entry.name,
        expected: `a start at byte ${end}`,
        found: `${entry.start}`,
      })
    }
    end = entry.end
    before = entry.name
  }
  if (end !== available) {
    throw new InvalidSafetensors({
      message: "the tensors do not cover all bytes of the file",
      ...where,
      expected: `${end} bytes of data`,
      found: `${available}`,
    })
  }
  const shift = head.byteLength
  return {
    entries: entries.map((entry) => ({ ...entry, start: entry.start + shift, end: entry.end + shift })),
    metadata: readMetadata(header["__metadata__"], where),
  }
}

/** Where the header of a safetensors file of `size` bytes ends, which its first 8 bytes say. */
export const safetensorsHeaderEnd = (start: Uint8Array, size: number, file?: string): number => {
  const where = file === undefined ? {} : { file }
  if (new TextDecoder().decode(start.subarray(0, 8)) === "version ") {
    throw new InvalidSafetensors({
      message: "the file has not been fetched",
      ...where,
      expected: "safetensors",
      found: "a pointer of Git LFS",
      hint: "fetch the file itself: git lfs pull",
    })
  }
  if (size < 8) {
    throw new InvalidSafetensors({
      message: "the file is too short to be safetensors",
      ...where,
      expected: "at least 8 bytes",
      found: `${size}`,
    })
  }
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true)
  const longest = Math.min(size - 8, longestHeader)
  if (length > BigInt(longest)) {
    throw new InvalidSafetensors({
      message: "the header is longer than the file, so the file is cut off or is not safetensors",
      ...where,
      expected: `a header of at most ${longest} bytes`,
      found: `${length}`,
    })
  }
  return 8 + Number(length)
}

interface Where {
  readonly file?: string
}

const readHeader = (head: Uint8Array, where: Where): Readonly<Record<string, unknown>> => {
  const text = new TextDecoder().decode(head.subarray(8))
  let header: unknown
  try {
    header = JSON.parse(text)
  } catch (cause) {
    throw new InvalidSafetensors({
      message: `the header is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      ...where,
    })
  }
  if (!isRecord(header)) throw new InvalidSafetensors({ message: "the header is not a JSON object", ...where })
  const repeated = repeatedKey(text)
  if (repeated !== undefined) {
    throw new InvalidSafetensors({
      message: `tensor ${repeated} stands twice in the header`,
      ...where,
      tensor: repeated,
    })
  }
  return header
}

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0

/** Start and end count from the end of the header. */
const readEntry = (name: string, entry: unknown, available: number, where: Where): SafetensorsEntry => {
  const at = { ...where, tensor: name }
  const shape = isRecord(entry) ? entry["shape"] : undefined
  const offsets = isRecord(entry) ? entry["data_offsets"] : undefined
  const dtype = isRecord(entry) ? entry["dtype"] : undefined
  const type = typeof dtype === "string" ? types.get(dtype) : undefined
  if (type === undefined) {
    throw new InvalidSafetensors({
      message: `tensor ${name} has an element type that is not known`,
      ...at,
      expected: [...types.keys()].join(", "),
      found: String(dtype),
    })
  }
  if (!Array.isArray(shape) || !shape.every(isCount) || !Number.isSafeInteger(elementCount(shape) * 8)) {
    throw new InvalidSafetensors({
      message: `tensor ${name} has no possible shape`,
      ...at,
      found: JSON.stringify(shape),
    })
  }
  const [start, end] = Array.isArray(offsets) ? offsets : []
  if (!Array.isArray(offsets) || offsets.length !== 2 || !isCount(start) || !isCount(end) || start > end) {
    throw new InvalidSafetensors({
      message: `tensor ${name} has no possible place in the file`,
      ...at,
      expected: "data_offsets of [start, end]",
      found: JSON.stringify(offsets),
    })
  }
  if (end > available) {
    throw new InvalidSafetensors({
      message: `tensor ${name} reaches beyond the end of the file`,
      ...at,
      expected: `at most ${available} bytes of data`,
      found: `${end}`,
    })
  }
  const size = elementCount(shape) * bytesPerElement(type)
  if (end - start !== size) {
    throw new InvalidSafetensors({
      message: `tensor ${name} of type ${dtype} and shape [${shape}] has the wrong number of bytes`,
      ...at,
      expected: `${size} bytes`,
      found: `${end - start}`,
    })
  }
  return { name, type, dims: shape, start, end }
}

const readMetadata = (value: unknown, where: Where): Readonly<Record<string, string>> => {
  if (value === undefined) return {}
  const entries = isRecord(value) ? Object.entries(value) : undefined
  const texts = entries?.filter((entry): entry is [string, string] => typeof entry[1] === "string")
  if (entries === undefined || texts?.length !== entries.length) {
    throw new InvalidSafetensors({
      message: "the metadata are not an object of strings",
      ...where,
      field: "__metadata__",
    })
  }
  return Object.fromEntries(texts)
}

/**
 * The bytes of a safetensors file: wide element types first, names in order, header padded, so that every tensor is
 * aligned and equal tensors give equal files. Strings have no place in the format and end in `InvalidSafetensors`.
 */
export const writeSafetensors = (
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array => {
  const parts = safetensorsParts(tensors, metadata)
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let position = 0
  for (const part of parts) {
    bytes.set(part, position)
    position += part.byteLength
  }
  return bytes
}

/** What `writeSafetensors` gives in pieces: the header, then views on the tensors, so that nothing large is copied. */
export const safetensorsParts = (
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): readonly Uint8Array[] => {
  const entries = [...tensors].sort(
    ([a, x], [b, y]) => bytesPerElement(y.type) - bytesPerElement(x.type) || (a < b ? -1 : a > b ? 1 : 0),
  )
  const header: Record<string, unknown> = Object.keys(metadata).length === 0 ? {} : { __metadata__: metadata }
  let offset = 0
  for (const [name, value] of entries) {
    const dtype = codes.get(value.type)
    if (dtype === undefined || name === "__metadata__") {
      throw new InvalidSafetensors({
        message: `tensor ${name} of type ${value.type} cannot be written`,
        tensor: name,
        found: value.type,
      })
    }
    const end = offset + elementCount(value.dims) * bytesPerElement(value.type)
    header[name] = { dtype, shape: value.dims, data_offsets: [offset, end] }
    offset = end
  }
  const plain = new TextEncoder().encode(JSON.stringify(header))
  const headerLength = Math.ceil(plain.byteLength / 8) * 8
  const start = new Uint8Array(8 + headerLength)
  new DataView(start.buffer).setBigUint64(0, BigInt(headerLength), true)
  start.fill(0x20, 8)
  start.set(plain, 8)
  return [start, ...entries.map(([, value]) => bytesOf(value))]
}
