import { fromBinary } from "@bufbuild/protobuf"
import { InvalidModel, InvalidTensor, UnsupportedModel } from "./Errors.ts"
import type { Attribute, Dims, Graph, Node, Value } from "./Graph.ts"
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  type GraphProto,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type TensorProto,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type ValueInfoProto,
} from "./gen/onnx_pb.js"
import { externalPlace } from "./internal/external.ts"
import { inlineFunctions } from "./internal/inlineFunctions.ts"
import { typeNames } from "./internal/types.ts"
import { type ElementType, elementCount, fromBytes, type Tensor, tensor } from "./Tensor.ts"

/** Gives the bytes of an external data file by its location, a path relative to the model's folder. */
export type ExternalData = (location: string) => Uint8Array

/** What `readModel` takes besides the bytes. */
export interface ReadModelOptions {
  /** File name for messages. */
  readonly file?: string
  /** Needed where tensors lie in files of their own. */
  readonly external?: ExternalData
}

/**
 * Reads an ONNX model. Raw tensor data stay views on `bytes`, so do not change the array afterwards.
 * Functions that the model defines itself are put in the place of their calls.
 * Cut-off or foreign bytes end in `InvalidModel`, element types that this version does not know in `UnsupportedModel`.
 */
export const readModel = (bytes: Uint8Array, options: ReadModelOptions = {}): Graph => {
  const file = options.file === undefined ? {} : { file: options.file }
  let model: ModelProto
  try {
    model = fromBinary(ModelProtoSchema, bytes)
  } catch (cause) {
    throw new InvalidModel({
      message: `not a readable ONNX model: ${cause instanceof Error ? cause.message : String(cause)}`,
      ...file,
      expected: "a whole ModelProto",
      found: isPointer(bytes) ? "a pointer of Git LFS" : `${bytes.byteLength} bytes`,
      ...(isPointer(bytes) ? { hint: "fetch the file itself: git lfs pull" } : {}),
    })
  }
  if (model.graph === undefined || model.opsetImport.length === 0) {
    throw new InvalidModel({
      message: "not an ONNX model: it holds no graph or names no operator set",
      ...file,
      expected: "a ModelProto with a graph and an opset_import",
      found: `${bytes.byteLength} bytes`,
    })
  }
  const opsets = operatorSets(model)
  try {
    const graph = readGraph(inlineFunctions(model, model.graph), opsets, options)
    checkWired(graph)
    return graph
  } catch (cause) {
    throw options.file === undefined ? cause : located(cause, options.file)
  }
}

/** Whether the file is the note that Git leaves in the place of a large one. */
const isPointer = (bytes: Uint8Array): boolean =>
  new TextDecoder().decode(bytes.subarray(0, 24)) === "version https://git-lfs."

/** The same error with the model's file, where it names none. */
const located = (cause: unknown, file: string): unknown => {
  for (const Kind of [InvalidModel, InvalidTensor, UnsupportedModel]) {
    if (!(cause instanceof Kind) || cause.file !== undefined) continue
    const { message, tensor, node, field, expected, found, hint } = cause
    const fields = Object.entries({ tensor, node, field, expected, found, hint })
    return new Kind({ message, file, ...Object.fromEntries(fields.filter(([, text]) => text !== undefined)) })
  }
  return cause
}

/** Operator sets of the model and of its functions, which are inlined; the functions' own are none. */
const operatorSets = (model: ModelProto): Map<string, number> => {
  const imports = [...model.functions.flatMap((body) => body.opsetImport), ...model.opsetImport]
  const own = new Set(model.functions.map((body) => body.domain))
  return new Map(
    imports.flatMap(({ domain, version }) =>
      own.has(domain) && domain !== "" ? [] : [[normalDomain(domain), Number(version)] as const],
    ),
  )
}

const normalDomain = (domain: string): string => (domain === "ai.onnx" ? "" : domain)

const readGraph = (proto: GraphProto, opsets: ReadonlyMap<string, number>, options: ReadModelOptions): Graph => {
  const initializers = new Map(proto.initializer.map((entry) => [entry.name, readTensor(entry, options)]))
  if (proto.sparseInitializer.length > 0) {
    throw new UnsupportedModel({ message: "the model holds sparse initializers", found: proto.name })
  }
  const inputs = proto.input.map(readValue).filter((value) => !initializers.has(value.name))
  const outputs = proto.output.map(readValue)
  return {
    name: proto.name,
    inputs,
    outputs,
    nodes: proto.node.map((node) => readNode(node, opsets, options)),
    initializers,
    values: new Map(proto.valueInfo.map((entry) => [entry.name, readValue(entry)])),
    opsets,
  }
}

/** More operands than any exporter writes; work on a node grows with their number. */
const mostOperands = 10_000

const readNode = (proto: NodeProto, opsets: ReadonlyMap<string, number>, options: ReadModelOptions): Node => {
  const name = proto.name === "" ? (proto.output[0] ?? proto.opType) : proto.name
  const operands = Math.max(proto.input.length, proto.output.length)
  if (operands > mostOperands) {
    throw new UnsupportedModel({
      message: `${name} (${proto.opType}) has more operands than are worked on`,
      ...(options.file === undefined ? {} : { file: options.file }),
      node: name,
      expected: `at most ${mostOperands}`,
      found: `${operands}`,
    })
  }
  return {
    op: proto.opType,
    domain: normalDomain(proto.domain),
    name,
    inputs: proto.input,
    outputs: proto.output,
    attributes: Object.fromEntries(proto.attribute.map((entry) => [entry.name, readAttribute(entry, opsets, options)])),
  }
}

const decoder = new TextDecoder("utf-8")

const readAttribute = (
  proto: AttributeProto,
  opsets: ReadonlyMap<string, number>,
  options: ReadModelOptions,
): Attribute => {
  switch (proto.type) {
    case AttributeProto_AttributeType.FLOAT:
      return { kind: "float", value: proto.f }
    case AttributeProto_AttributeType.INT:
      return { kind: "int", value: Number(proto.i) }
    case AttributeProto_AttributeType.STRING:
      return { kind: "string", value: decoder.decode(proto.s) }
    case AttributeProto_AttributeType.FLOATS:
      return { kind: "floats", value: proto.floats }
    case AttributeProto_AttributeType.INTS:
      return { kind: "ints", value: proto.ints.map(Number) }
    case AttributeProto_AttributeType.STRINGS:
      return { kind: "strings", value: proto.strings.map((bytes) => decoder.decode(bytes)) }
    case AttributeProto_AttributeType.TENSOR:
      if (proto.t !== undefined) return { kind: "tensor", value: readTensor(proto.t, options) }
      break
    case AttributeProto_AttributeType.GRAPH:
      if (proto.g !== undefined) return { kind: "graph", value: readGraph(proto.g, opsets, options) }
      break
  }
  throw new UnsupportedModel({
    message: `attribute ${proto.name} is of a kind that is not supported`,
    field: proto.name,
    found: AttributeProto_AttributeType[proto.type] ?? `${proto.type}`,
  })
}

const readValue = (proto: ValueInfoProto): Value => {
  const type = proto.type?.value
  if (type?.case !== "tensorType") return { name: proto.name, type: undefined, dims: undefined }
  const dims: Dims | undefined = type.value.shape?.dim.map(({ value: dim }, index) => {
    if (dim.case === "dimParam" && dim.value !== "") return dim.value
    // Some exporters write −1 for what they do not know.
    return dim.case === "dimValue" && dim.value >= 0n ? Number(dim.value) : `?${index}`
  })
  return { name: proto.name, type: typeNames.get(type.value.elemType), dims }
}

const readTensor = (proto: TensorProto, options: ReadModelOptions): Tensor => {
  const name = proto.name
  const type = typeNames.get(proto.dataType)
  if (type === undefined) {
    throw new UnsupportedModel({
      message: `tensor ${name} has an element type that is not supported`,
      tensor: name,
      found: TensorProto_DataType[proto.dataType] ?? `${proto.dataType}`,
    })
  }
  const dims = proto.dims.map(Number)
  if (dims.some((dim) => !Number.isSafeInteger(dim) || dim < 0)) {
    throw new InvalidModel({ message: `tensor ${name} has an impossible shape`, tensor: name, found: `[${dims}]` })
  }
  if (proto.dataLocation === TensorProto_DataLocation.EXTERNAL) return externalTensor(proto, type, dims, options)
  if (type === "string")
    return tensor(
      type,
      dims,
      proto.stringData.map((bytes) => decoder.decode(bytes)),
    )
  if (proto.rawData.byteLength > 0 || elementCount(dims) === 0) return fromBytes(type, dims, proto.rawData, name)
  switch (type) {
    case "float32":
      return tensor(type, dims, Float32Array.from(proto.floatData))
    case "float64":
      return tensor(type, dims, Float64Array.from(proto.doubleData))
    case "int64":
      return tensor(type, dims, BigInt64Array.from(proto.int64Data))
    case "uint64":
      return tensor(type, dims, BigUint64Array.from(proto.uint64Data))
    case "uint32":
      return tensor(type, dims, Uint32Array.from(proto.uint64Data, Number))
    case "int32":
      return tensor(type, dims, Int32Array.from(proto.int32Data))
    case "int16":
      return tensor(type, dims, Int16Array.from(proto.int32Data))
    case "int8":
      return tensor(type, dims, Int8Array.from(proto.int32Data))
    case "uint8":
    case "bool":
      return tensor(type, dims, Uint8Array.from(proto.int32Data))
    case "uint16":
    case "float16":
    case "bfloat16":
      return tensor(type, dims, Uint16Array.from(proto.int32Data))
  }
}

const externalTensor = (proto: TensorProto, type: ElementType, dims: number[], options: ReadModelOptions): Tensor => {
  const entries = new Map(proto.externalData.map((entry) => [entry.key, entry.value]))
  const { location, offset, length } = externalPlace(entries, proto.name, type, dims)
  if (options.external === undefined) {
    throw new InvalidModel({
      message: `tensor ${proto.name} lies in another file, and no way to read it was given`,
      tensor: proto.name,
      expected: location,
    })
  }
  const bytes = options.external(location)
  if (offset + length > bytes.byteLength) {
    throw new InvalidModel({
      message: `tensor ${proto.name} reaches beyond the end of its data file`,
      file: location,
      tensor: proto.name,
      expected: `at least ${offset + length} bytes`,
      found: `${bytes.byteLength}`,
    })
  }
  return fromBytes(type, dims, bytes.subarray(offset, offset + length), proto.name)
}

/** Every value has one maker: an input, an initializer or a node that stands before its readers, subgraphs included. */
const checkWired = (graph: Graph, outside: (name: string) => boolean = () => false): void => {
  const own = new Set([...graph.inputs.map((value) => value.name), ...graph.initializers.keys()])
  const known = (name: string): boolean => own.has(name) || outside(name)
  const fail = (message: string, node: string, found: string): InvalidModel =>
    new InvalidModel({ message, node, found })
  const check = (name: string, reader: string): void => {
    if (name === "" || known(name)) return
    throw fail(`${reader} reads ${name}, which no input, initializer or earlier node makes`, reader, name)
  }
  for (const node of graph.nodes) {
    for (const name of node.inputs) check(name, node.name)
    for (const attribute of Object.values(node.attributes)) {
      if (attribute.kind === "graph") checkWired(attribute.value, known)
    }
    for (const name of node.outputs) {
      if (name !== "" && known(name)) throw fail(`${node.name} makes ${name} a second time`, node.name, name)
      own.add(name)
    }
  }
  for (const output of graph.outputs) check(output.name, "the graph's output list")
}
