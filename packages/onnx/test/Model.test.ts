import assert from "node:assert/strict"
import { test } from "node:test"
import { create, fromBinary, toBinary } from "@bufbuild/protobuf"
import { ModelProtoSchema, TensorProto_DataLocation, TensorProto_DataType } from "../src/gen/onnx_pb.js"
import {
  type Attributes,
  bytesOf,
  float32,
  type Graph,
  GraphBuilder,
  InvalidModel,
  InvalidTensor,
  int64,
  type Node,
  readModel,
  type Tensor,
  UnsupportedModel,
  type Value,
  writeModel,
} from "../src/index.ts"
import { exports, readExport } from "./support/golden.ts"

const node = (
  op: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: Attributes = {},
): Node => ({
  op,
  domain: "",
  name: `node ${outputs}`,
  inputs,
  outputs,
  attributes,
})

const value = (name: string, type: Value["type"], dims: Value["dims"]): Value => ({ name, type, dims })

const graphOf = (nodes: readonly Node[], initializers: Readonly<Record<string, Tensor>> = {}): Graph => ({
  name: "graph",
  inputs: [value("x", "float32", ["batch", 3])],
  outputs: [value("y", "float32", undefined)],
  nodes,
  initializers: new Map(Object.entries(initializers)),
  values: new Map(),
  opsets: new Map([
    ["", 20],
    ["com.microsoft", 1],
  ]),
})

const fails = (kind: abstract new (...values: never[]) => Error, message: RegExp, body: () => unknown): void => {
  assert.throws(body, (error: unknown) => error instanceof kind && message.test(error.message))
}

const tensors: Readonly<Record<string, Tensor>> = {
  float32: float32([2], [1.5, -0]),
  float64: { type: "float64", dims: [1], data: Float64Array.of(Math.PI) },
  float16: { type: "float16", dims: [2], data: Uint16Array.of(0x3c00, 0xfc00) },
  bfloat16: { type: "bfloat16", dims: [1], data: Uint16Array.of(0x3f80) },
  int8: { type: "int8", dims: [2], data: Int8Array.of(-128, 127) },
  int16: { type: "int16", dims: [1], data: Int16Array.of(-32768) },
  int32: { type: "int32", dims: [1], data: Int32Array.of(-(2 ** 31)) },
  int64: { type: "int64", dims: [2], data: BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n) },
  uint8: { type: "uint8", dims: [1], data: Uint8Array.of(255) },
  uint16: { type: "uint16", dims: [1], data: Uint16Array.of(65535) },
  uint32: { type: "uint32", dims: [1], data: Uint32Array.of(2 ** 32 - 1) },
  uint64: { type: "uint64", dims: [1], data: BigUint64Array.of(2n ** 64n - 1n) },
  bool: { type: "bool", dims: [2], data: Uint8Array.of(1, 0) },
  string: { type: "string", dims: [2], data: ["", "naïve ☃"] },
  scalar: float32([], [7]),
  empty: float32([0, 3], []),
}

test("tensors of every type, attributes of every kind and subgraphs come back as they were", () => {
  const branch = (name: string): Graph => ({
    name,
    inputs: [],
    outputs: [value(`${name}_y`, "float32", ["batch", 3])],
    nodes: [node("Mul", ["x", `${name}_w`], [`${name}_y`])],
    initializers: new Map([[`${name}_w`, float32([3], [1, 2, 3])]]),
    values: new Map(),
    opsets: graphOf([]).opsets,
  })
  const attributes: Attributes = {
    int: { kind: "int", value: -7 },
    float: { kind: "float", value: 0.5 },
    whole: { kind: "float", value: 1 },
    string: { kind: "string", value: "naïve ☃" },
    ints: { kind: "ints", value: [1, -2, 2 ** 52] },
    none: { kind: "ints", value: [] },
    floats: { kind: "floats", value: [0.25, -1] },
    strings: { kind: "strings", value: ["a", ""] },
    tensor: { kind: "tensor", value: float32([1], [3]) },
    then_branch: { kind: "graph", value: branch("then") },
    __proto: { kind: "int", value: 1 },
  }
  const graph: Graph = {
    ...graphOf([node("Everything", ["x", "", "int8"], ["y", "", "z"], attributes)], tensors),
    nodes: [
      node("Everything", ["x", "", "int8"], ["y", "", "z"], attributes),
      { ...node("FusedMatMul", ["y", "z"], ["w"]), domain: "com.microsoft" },
    ],
  }
  assert.deepEqual(readModel(writeModel(graph)), graph)
})

test("dimensions are numbers, symbols, or unknown; a value may have no type", () => {
  const graph: Graph = {
    ...graphOf([node("Neg", ["x"], ["y"])]),
    inputs: [value("x", "float32", ["batch", 3, "?2"]), value("free", undefined, undefined), value("s", "int64", [])],
  }
  assert.deepEqual(readModel(writeModel(graph)), graph)
  const bytes = toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      opsetImport: [{ domain: "ai.onnx", version: 20n }],
      graph: {
        input: [
          {
            name: "x",
            type: {
              value: {
                case: "tensorType",
                value: {
                  elemType: 1,
                  shape: {
                    dim: [
                      { value: { case: "dimValue", value: -1n } },
                      { value: { case: "dimParam", value: "" } },
                      { value: { case: "dimValue", value: 4n } },
                    ],
                  },
                },
              },
            },
          },
        ],
      },
    }),
  )
  const read = readModel(bytes)
  assert.deepEqual(read.inputs[0]?.dims, ["?0", "?1", 4])
  assert.deepEqual([...read.opsets], [["", 20]])
})

test("the same graph gives the same bytes; producer and version are written", () => {
  const graph = graphOf([node("Neg", ["x"], ["y"])], {})
  assert.deepEqual(writeModel(graph), writeModel(graph))
  const proto = fromBinary(ModelProtoSchema, writeModel(graph, { producer: "p", irVersion: 10 }))
  assert.equal(proto.producerName, "p")
  assert.equal(proto.irVersion, 10n)
})

for (const path of exports) {
  test(`${path}: read, written and read again is the same graph`, () => {
    const graph = readModel(readExport(path))
    const again = readModel(writeModel(graph))
    assert.deepEqual({ ...again, values: graph.values }, graph)
  })
}

test("raw data are views on the file where they are aligned, and equal where not", () => {
  const g = new GraphBuilder()
  const weight = float32([64, 64], new Float32Array(64 * 64).fill(0.5))
  const file = writeModel(g.build({ y: g.matmul(g.input("x", "float32", [1, 64]), g.initializer("w", weight)) }))
  const views = [0, 1, 2, 3].map((shift) => {
    const bytes = new Uint8Array(file.length + shift).subarray(shift)
    bytes.set(file)
    const tensor = readModel(bytes).initializers.get("w")
    assert.ok(tensor !== undefined && ArrayBuffer.isView(tensor.data))
    assert.deepEqual(bytesOf(tensor), bytesOf(weight))
    return tensor.data.buffer === bytes.buffer
  })
  assert.equal(views.filter((view) => view).length, 1)
})

test("a weight listed among the inputs is not an input", () => {
  const bytes = toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      opsetImport: [{ version: 20n }],
      graph: {
        input: [{ name: "x" }, { name: "w" }],
        initializer: [{ name: "w", dataType: TensorProto_DataType.FLOAT, dims: [1n], floatData: [1] }],
        node: [{ opType: "Mul", input: ["x", "w"], output: ["y"] }],
        output: [{ name: "y" }],
      },
    }),
  )
  const graph = readModel(bytes)
  assert.deepEqual(
    graph.inputs.map(({ name }) => name),
    ["x"],
  )
  assert.equal(graph.nodes[0]?.name, "y")
})

type Init = Parameters<typeof create<typeof ModelProtoSchema>>[1]
const modelOf = (model: Init): Uint8Array => toBinary(ModelProtoSchema, create(ModelProtoSchema, model))
const opsetImport = [{ version: 20n }]

test("typed data fields are read for every type that has one", () => {
  const t = TensorProto_DataType
  const read = readModel(
    modelOf({
      opsetImport,
      graph: {
        initializer: [
          { name: "a", dataType: t.INT64, dims: [2n], int64Data: [-1n, 2n ** 62n] },
          { name: "b", dataType: t.UINT64, dims: [1n], uint64Data: [2n ** 64n - 1n] },
          { name: "c", dataType: t.UINT32, dims: [1n], uint64Data: [2n ** 32n - 1n] },
          { name: "d", dataType: t.INT8, dims: [1n], int32Data: [-3] },
          { name: "e", dataType: t.BOOL, dims: [2n], int32Data: [1, 0] },
          { name: "f", dataType: t.FLOAT16, dims: [1n], int32Data: [0xfc00] },
          { name: "g", dataType: t.STRING, dims: [1n], stringData: [new TextEncoder().encode("é")] },
          { name: "h", dataType: t.FLOAT, dims: [0n, 5n] },
        ],
      },
    }),
  ).initializers
  const data = [...read.values()].map((tensor) => Array.from<unknown>(tensor.data))
  assert.deepEqual(data, [[-1n, 2n ** 62n], [2n ** 64n - 1n], [2 ** 32 - 1], [-3], [1, 0], [0xfc00], ["é"], []])
})

test("external data are read from their ranges", () => {
  const place = (entries: Readonly<Record<string, string>>) => ({
    name: "w",
    dataType: TensorProto_DataType.FLOAT,
    dims: [2n],
    dataLocation: TensorProto_DataLocation.EXTERNAL,
    externalData: Object.entries(entries).map(([key, text]) => ({ key, value: text })),
  })
  const files = new Map([["model.onnx_data", new Uint8Array(Float32Array.of(9, 1, 2).buffer)]])
  const external = (location: string) => files.get(location) ?? new Uint8Array()
  const read = (entries: Readonly<Record<string, string>>, given: object = { external }) =>
    readModel(modelOf({ opsetImport, graph: { initializer: [place(entries)] } }), given).initializers.get("w")?.data
  const whole = { location: "model.onnx_data", offset: "4", length: "8" }
  assert.deepEqual(read(whole), Float32Array.of(1, 2))
  assert.deepEqual(read({ location: "model.onnx_data" }), Float32Array.of(9, 1))
  fails(InvalidModel, /lies in another file/, () => read(whole, {}))
  fails(InvalidModel, /beyond the end/, () => read({ ...whole, offset: "8" }))
  fails(InvalidModel, /beyond the end/, () => read({ ...whole, location: "other" }))
  fails(InvalidModel, /impossible place/, () => read({ ...whole, offset: "-4" }))
  fails(InvalidModel, /impossible place/, () => read({ ...whole, offset: "1e400" }))
  fails(InvalidTensor, /do not fit its shape/, () => read({ ...whole, length: "4" }))
})

test("what is not a model, or not one that can be read, is refused by name", () => {
  const neg = { opType: "Neg", name: "n", input: ["x"], output: ["y"] }
  const read =
    (graph: NonNullable<Init>["graph"], imports = opsetImport) =>
    () =>
      readModel(modelOf({ opsetImport: imports, ...(graph === undefined ? {} : { graph }) }), {
        file: "model.onnx",
      })
  const stored = (init: object) => read({ initializer: [{ name: "w", ...init }] })
  fails(InvalidModel, /not an ONNX model/, () => readModel(new Uint8Array()))
  fails(InvalidModel, /not a readable ONNX model/, () => readModel(new TextEncoder().encode("<!DOCTYPE html><html>")))
  fails(InvalidModel, /not an ONNX model/, read(undefined))
  fails(InvalidModel, /names no operator set/, read({ name: "g" }, []))
  fails(InvalidModel, /n reads x, which no/, read({ node: [neg] }))
  fails(InvalidModel, /output list reads y/, read({ output: [{ name: "y" }] }))
  fails(InvalidModel, /n makes y a second time/, read({ input: [{ name: "x" }], node: [neg, neg] }))
  fails(InvalidModel, /n makes y a second time/, read({ input: [{ name: "x" }, { name: "y" }], node: [neg] }))
  assert.throws(
    stored({ dataType: 1, dims: [2n], rawData: new Uint8Array(7) }),
    (error: unknown) => error instanceof InvalidTensor && error.file === "model.onnx" && error.tensor === "w",
  )
  fails(InvalidModel, /impossible shape/, stored({ dataType: 1, dims: [-1n] }))
  fails(InvalidTensor, /wrong number of elements/, stored({ dataType: 1, dims: [2n ** 40n], floatData: [1] }))
  fails(InvalidTensor, /do not fit its shape/, stored({ dataType: 1, dims: [2n], rawData: new Uint8Array(7) }))
  fails(UnsupportedModel, /tensor w has an element type/, stored({ dataType: TensorProto_DataType.INT4, dims: [] }))
  fails(UnsupportedModel, /sparse/, read({ sparseInitializer: [{}] }))
  fails(
    UnsupportedModel,
    /attribute t is of a kind/,
    read({ node: [{ opType: "A", attribute: [{ name: "t", type: 13 }] }] }),
  )
  const inner = { name: "b", node: [{ opType: "Neg", name: "inner", input: ["nowhere"], output: ["z"] }] }
  fails(
    InvalidModel,
    /inner reads nowhere/,
    read({ node: [{ opType: "If", name: "if", attribute: [{ name: "then_branch", type: 5, g: inner }] }] }),
  )
})

test("what is known of inner values is not written, nor of a result that is no output", () => {
  const graph: Graph = {
    name: "g",
    inputs: [{ name: "x", type: "float32", dims: ["n"] }],
    outputs: [],
    nodes: [node("Relu", ["x"], ["y"])],
    initializers: new Map(),
    values: new Map([["y", { name: "y", type: "float32", dims: ["n"] }]]),
    opsets: new Map([["", 20]]),
  }
  assert.deepEqual(readModel(writeModel(graph)), { ...graph, values: new Map() })
})

test("what cannot be written is refused", () => {
  const attributes: Attributes = { axis: { kind: "int", value: 0.5 } }
  fails(InvalidTensor, /0.5 is not a whole number/, () => writeModel(graphOf([node("Neg", ["x"], ["y"], attributes)])))
  const end: Attributes = { end: { kind: "ints", value: [2 ** 63, -(2 ** 70)] } }
  const proto = fromBinary(ModelProtoSchema, writeModel(graphOf([node("Neg", ["x"], ["y"], end)])))
  assert.deepEqual(proto.graph?.node[0]?.attribute[0]?.ints, [2n ** 63n - 1n, -(2n ** 63n)])
  assert.deepEqual(int64([1], [2 ** 63]).data, BigInt64Array.of(2n ** 63n - 1n))
})

test("a node of more operands than anybody writes is refused by name", () => {
  const g = new GraphBuilder()
  const graph = g.build({ y: g.neg(g.input("x", "float32", [2])) }, "m")
  const sum = (count: number): Graph => ({
    ...graph,
    nodes: [{ op: "Sum", domain: "", name: "sum", inputs: Array(count).fill("x"), outputs: ["y"], attributes: {} }],
  })
  assert.equal(readModel(writeModel(sum(1000))).nodes[0]?.inputs.length, 1000)
  assert.throws(
    () => readModel(writeModel(sum(300_000)), { file: "sum.onnx" }),
    (error) => error instanceof UnsupportedModel && error.file === "sum.onnx" && error.node === "sum",
  )
})
