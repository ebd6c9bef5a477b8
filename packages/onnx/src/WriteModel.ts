import { create, toBinary } from "@bufbuild/protobuf"
import type { Attribute, Graph, Value } from "./Graph.ts"
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type GraphProto,
  GraphProtoSchema,
  ModelProtoSchema,
  type TensorProto,
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

/** The bytes of a model file for this graph, tensors inside. */
export const writeModel = (graph: Graph, options: WriteModelOptions = {}): Uint8Array =>
  toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: BigInt(options.irVersion ?? 9),
      producerName: options.producer ?? "tandem",
      graph: writeGraph(graph),
      opsetImport: [...graph.opsets].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    }),
  )

const encoder = new TextEncoder()

const writeGraph = (graph: Graph): GraphProto =>
  create(GraphProtoSchema, {
    name: graph.name,
    input: graph.inputs.map(writeValue),
    output: graph.outputs.map(writeValue),
    initializer: [...graph.initializers].map(([name, value]) => writeTensor(name, value)),
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
      return create(AttributeProtoSchema, { name, type: types.GRAPH, g: writeGraph(attribute.value) })
  }
}
