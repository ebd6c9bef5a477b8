import { BinaryReader, WireType } from "@bufbuild/protobuf/wire"
import { InvalidModel } from "../Errors.ts"

/** One field of a protobuf message: its number, and where its payload lies, without tag and length prefix. */
export interface WireField {
  readonly number: number
  readonly wire: WireType
  readonly start: number
  readonly end: number
}

/** A stretch of bytes. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

/** The fields of the message that lies in `range`, in the order of the file. A cut-off one is `InvalidModel`. */
export function* wireFields(bytes: Uint8Array, range: ByteRange): Generator<WireField> {
  const reader = new BinaryReader(bytes)
  reader.pos = range.start
  while (reader.pos < range.end) {
    const field = readField(reader)
    if (field.end > range.end) throw cut(bytes, range)
    yield field
    reader.pos = field.end
  }
}

const readField = (reader: BinaryReader): WireField => {
  try {
    const [number, wire] = reader.tag()
    const length = wire === WireType.LengthDelimited ? reader.uint32() : undefined
    const start = reader.pos
    if (length === undefined) reader.skip(wire, number)
    return { number, wire, start, end: length === undefined ? reader.pos : start + length }
  } catch (cause) {
    throw new InvalidModel({
      message: `not a readable ONNX model: ${cause instanceof Error ? cause.message : String(cause)}`,
      found: `byte ${reader.pos} of ${reader.len}`,
    })
  }
}

const cut = (bytes: Uint8Array, range: ByteRange): InvalidModel =>
  new InvalidModel({
    message: "not a readable ONNX model: a field reaches beyond the end of its message",
    expected: `an end at byte ${range.end} or before`,
    found: `${bytes.byteLength} bytes`,
  })

/** The integers of a repeated or single varint field, packed or not. */
export const wireIntegers = (bytes: Uint8Array, field: WireField): number[] => {
  const reader = new BinaryReader(bytes.subarray(0, field.end))
  reader.pos = field.start
  const result: number[] = []
  try {
    while (reader.pos < field.end) result.push(Number(reader.int64()))
  } catch {
    throw cut(bytes, field)
  }
  return result
}

const decoder = new TextDecoder("utf-8")

/** The text of a string field. */
export const wireText = (bytes: Uint8Array, field: ByteRange): string =>
  decoder.decode(bytes.subarray(field.start, field.end))
