import { clearField, create, isFieldSet, toBinary } from "@bufbuild/protobuf"
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire"
import type { Attribute, Graph, Value } from "./Graph.ts"
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from "./gen/onnx_pb.js"
import { typeCodes } from "./internal/types.ts"
import { bytesOf, type Tensor, toInt64 } from "./Tensor.ts"

/** What `writeModel` takes besides the graph. */
export interface WriteModelOptions {
  readonly producer?: string
  readonly irVersion?: number
}

/** The bytes of a model file for this graph, tensors inside. What is known of inner values (`values`) is not written. */
export const writeModel = (graph: Graph, options: WriteModelOptions = {}): Uint8Array =>
  modelBytes(graph, options, writeTensor)

const raw = TensorProtoSchema.field.rawData

/**
 * Protobuf's writer grows its buffer by copying and copies each message once more when its length is known. Tensors, which are
 * almost all of a model, are put where they belong once instead.
 */
const modelBytes = (graph: Graph, options: WriteModelOptions, write: typeof writeTensor): Uint8Array => {
  const model = toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: BigInt(options.irVersion ?? 9),
      producerName: options.producer ?? "tandem",
      opsetImport: [...graph.opsets].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    }),
  )
  const nodes = toBinary(GraphProtoSchema, writeGraph({ ...graph, initializers: new Map() }, write))
  const tensors = [...graph.initializers].flatMap(([name, value]) => {
    const tensor = write(name, value)
    const data = isFieldSet(tensor, raw) ? field(raw.number, [tensor.rawData]) : []
    clearField(tensor, raw)
    const head = toBinary(TensorProtoSchema, tensor)
    return field(GraphProtoSchema.field.initializer.number, [head, ...data])
  })
  return joined([model, ...field(ModelProtoSchema.field.graph.number, [nodes, ...tensors])])
}

const lengthOf = (pieces: readonly Uint8Array[]): number => pieces.reduce((sum, { length }) => sum + length, 0)

/** A field of so many bytes: its number, its length, and the pieces as they are. */
const field = (number: number, pieces: readonly Uint8Array[]): readonly Uint8Array[] => [
  new BinaryWriter().tag(number, WireType.LengthDelimited).uint32(lengthOf(pieces)).finish(),
  ...pieces,
]

const joined = (pieces: readonly Uint8Array[]): Uint8Array => {
  const bytes = new Uint8Array(lengthOf(pieces))
  let at = 0
  for (const piece of pieces) {
    bytes.set(piece, at)
    at += piece.length
  }
  return bytes
}

/** What `writeModelExternal` takes besides the graph. */
export interface WriteExternalOptions extends WriteModelOptions {
  /** Name of the first data file, beside the model; further ones get `_1`, `_2` … behind it. */
  readonly location: string
  /** Largest data file in bytes, where no single tensor is larger; 2 · 10⁹ where absent. */
  readonly largestFile?: number
}

/** A model file whose large tensors lie in data files, each given in pieces that are to be written one after another. */
export interface WrittenExternal {
  readonly model: Uint8Array
  readonly files: ReadonlyMap<string, readonly Uint8Array[]>
}

/** Tensors of fewer bytes stay in the model file. */
const smallestExternal = 1024
/** Where tensors begin in data files, so that they can be mapped into memory. */
const alignment = 4096

/** The same as `writeModel` with the tensors in data files, as models beyond protobuf's 2 GB need it. Nothing is copied. */
export const writeModelExternal = (graph: Graph, options: WriteExternalOptions): WrittenExternal => {
  const { location, largestFile = 2e9 } = options
  const files = new Map<string, Uint8Array[]>()
  let current: Uint8Array[] = []
  let name = location
  let length = 0
  files.set(name, current)
  const model = modelBytes(graph, options, (tensorName, value) => {
    if (!ArrayBuffer.isView(value.data) || value.data.byteLength < smallestExternal)
      return writeTensor(tensorName, value)
    const bytes = bytesOf(value)
    if (length > 0 && length + bytes.byteLength > largestFile) {
      name = `${location}_${files.size}`
      current = []
      files.set(name, current)
      length = 0
    }
    const gap = (alignment - (length % alignment)) % alignment
    if (gap > 0) current.push(new Uint8Array(gap))
    const offset = length + gap
    current.push(bytes)
    length = offset + bytes.byteLength
    return create(TensorProtoSchema, {
      name: tensorName,
      dataType: typeCodes.get(value.type) ?? 0,
      dims: value.dims.map(BigInt),
      dataLocation: TensorProto_DataLocation.EXTERNAL,
      externalData: [
        { key: "location", value: name },
        { key: "offset", value: `${offset}` },
        { key: "length", value: `${bytes.byteLength}` },
      ],
    })
  })
  return { model, files }
}

const encoder = new TextEncoder()

const writeGraph = (graph: Graph, write: typeof writeTensor): GraphProto =>
  create(GraphProtoSchema, {
    name: graph.name,
    input: graph.inputs.map(writeValue),
    output: graph.outputs.map(writeValue),
    initializer: [...graph.initializers].map(([name, value]) => write(name, value)),
    node: graph.nodes.map((node) => ({
      opType: node.op,
      domain: node.domain,
      name: node.name,
      input: [...node.inputs],
      output: [...node.outputs],
      attribute: Object.entries(node.attributes).map(([name, value]) => writeAttribute(name, value)),
    })),
  })

const writeValue = (value: Value): ValueInfoProto =>
  value.type === undefined
    ? create(ValueInfoProtoSchema, { name: value.name })
    : create(ValueInfoProtoSchema, {
        name: value.name,
        type: {
          value: {
            case: "tensorType",
            value: {
              elemType: typeCodes.get(value.type) ?? 0,
              ...(value.dims === undefined ? {} : { shape: { dim: value.dims.map(writeDim) } }),
            },
          },
        },
      })

const writeDim = (dim: number | string) => ({
  value:
    typeof dim === "number"
      ? { case: "dimValue" as const, value: BigInt(dim) }
      : dim.startsWith("?")
        ? { case: undefined }
        : { case: "dimParam" as const, value: dim },
})

const writeTensor = (name: string, value: Tensor): TensorProto =>
  create(TensorProtoSchema, {
    name,
    dataType: typeCodes.get(value.type) ?? 0,
    dims: value.dims.map(BigInt),
    ...(ArrayBuffer.isView(value.data)
      ? { rawData: bytesOf(value) }
      : { stringData: value.data.map((text) => encoder.encode(text)) }),
  })

const writeAttribute = (name: string, attribute: Attribute): AttributeProto => {
  const types = AttributeProto_AttributeType
  switch (attribute.kind) {
    case "int":
      return create(AttributeProtoSchema, { name, type: types.INT, i: toInt64(attribute.value) })
    case "float":
      return create(AttributeProtoSchema, { name, type: types.FLOAT, f: attribute.value })
    case "string":
      return create(AttributeProtoSchema, { name, type: types.STRING, s: encoder.encode(attribute.value) })
    case "ints":
      return create(AttributeProtoSchema, { name, type: types.INTS, ints: attribute.value.map(toInt64) })
    case "floats":
      return create(AttributeProtoSchema, { name, type: types.FLOATS, floats: [...attribute.value] })
    case "strings":
      return create(AttributeProtoSchema, {
        name,
        type: types.STRINGS,
        strings: attribute.value.map((text) => encoder.encode(text)),
      })
    case "tensor":
      return create(AttributeProtoSchema, { name, type: types.TENSOR, t: writeTensor("", attribute.value) })
    case "graph":
      return create(AttributeProtoSchema, { name, type: types.GRAPH, g: writeGraph(attribute.value, writeTensor) })
  }
}
