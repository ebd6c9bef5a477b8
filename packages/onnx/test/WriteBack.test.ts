import assert from "node:assert/strict"
import { test } from "node:test"
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf"
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire"
import {
  ModelProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  type TensorProtoSchema,
} from "../src/gen/onnx_pb.js"
import {
  float32,
  InvalidModel,
  InvalidTensor,
  int64,
  readModel,
  type Tensor,
  tensor,
  tensorLocations,
  toNumbers,
  UnsupportedModel,
  writeBack,
  writeBackExternal,
} from "../src/index.ts"
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../src/internal/half.ts"
import { exports, readExport } from "./support/golden.ts"

type Stored = MessageInitShape<typeof TensorProtoSchema>

const modelOf = (initializer: Stored[]): Uint8Array =>
  toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 9n,
      producerName: "test",
      opsetImport: [{ version: 20n }],
      graph: { name: "g", initializer },
    }),
  )

const blanked = (bytes: Uint8Array): Uint8Array => {
  const copy = bytes.slice()
  for (const { file, ranges } of tensorLocations(bytes).values()) {
    if (file === undefined) for (const { start, end } of ranges) copy.fill(0, start, end)
  }
  return copy
}

const fails = (kind: abstract new (...values: never[]) => Error, message: RegExp, body: () => unknown): void => {
  assert.throws(body, (error: unknown) => error instanceof kind && message.test(error.message))
}

for (const path of exports) {
  test(`${path}: weights are replaced in place and nothing else changes`, () => {
    const before = readExport(path)
    const original = before.slice()
    const weights = [...readModel(before).initializers].filter(([, { type }]) => type === "float32")
    assert.ok(weights.length > 30)
    const trained = new Map(
      weights.map(([name, weight]): [string, Tensor] => [
        name,
        float32(
          weight.dims,
          toNumbers(weight).map((value) => value * 1.5 + 0.25),
        ),
      ]),
    )
    const after = writeBack(before, trained)
    assert.deepEqual(before, original)
    assert.notDeepEqual(after, before)
    const read = readModel(after).initializers
    for (const [name, value] of trained) assert.deepEqual(read.get(name)?.data, value.data)
    assert.deepEqual(blanked(after), blanked(before))
    assert.deepEqual(writeBack(after, new Map(weights)), before)
  })
}

test("a Constant node is found by its output", () => {
  const bytes = readExport("bert-tiny/script.onnx")
  const node = readModel(bytes).nodes.find(
    ({ op, attributes: { value } }) => op === "Constant" && value?.kind === "tensor" && value.value.type === "float32",
  )
  const name = node?.outputs[0] ?? ""
  const written = readModel(writeBack(bytes, new Map([[name, float32([], [42])]])))
  const value = written.nodes.find(({ outputs }) => outputs[0] === name)?.attributes["value"]
  assert.deepEqual(value?.kind === "tensor" ? [...value.value.data] : undefined, [42])
})

test("float_data and double_data are replaced, packed", () => {
  const bytes = modelOf([
    { name: "f", dataType: TensorProto_DataType.FLOAT, dims: [2n], floatData: [1, 2] },
    { name: "d", dataType: TensorProto_DataType.DOUBLE, dims: [2n], doubleData: [1, 2] },
  ])
  const after = writeBack(
    bytes,
    new Map([
      ["f", float32([2], [3, 0.1])],
      ["d", float32([2], [5, -6])],
    ]),
  )
  const { initializers } = readModel(after)
  assert.deepEqual(initializers.get("f"), float32([2], [3, 0.1]))
  assert.deepEqual(initializers.get("d")?.data, Float64Array.of(5, -6))
  assert.deepEqual(blanked(after), blanked(bytes))
})

test("float_data in single fields are replaced, and dims in single fields are read", () => {
  const stored = new BinaryWriter()
  stored.tag(1, WireType.Varint).int64(3)
  for (const value of [1, 2]) stored.tag(4, WireType.Bit32).float(value)
  stored.tag(2, WireType.Varint).int32(1).tag(8, WireType.LengthDelimited).string("w")
  stored.tag(4, WireType.Bit32).float(3)
  const graph = new BinaryWriter().tag(5, WireType.LengthDelimited).bytes(stored.finish()).finish()
  const bytes = new BinaryWriter().raw(modelOf([])).tag(7, WireType.LengthDelimited).bytes(graph).finish()
  const after = writeBack(bytes, new Map([["w", float32([3], [7, 8, 9])]]))
  assert.deepEqual(readModel(after).initializers.get("w"), float32([3], [7, 8, 9]))
})

test("float16 and bfloat16 files take the nearest values", () => {
  const bytes = modelOf([
    { name: "h", dataType: TensorProto_DataType.FLOAT16, dims: [3n], rawData: new Uint8Array(6) },
    { name: "b", dataType: TensorProto_DataType.BFLOAT16, dims: [3n], rawData: new Uint8Array(6) },
  ])
  const value = float32([3], [0.1, -Math.PI, 65504])
  const written = writeBack(
    bytes,
    new Map([
      ["h", value],
      ["b", value],
    ]),
  )
  const { initializers } = readModel(written)
  assert.deepEqual(
    Array.from(initializers.get("h")?.data ?? [], Number).map(fromFloat16),
    [0.0999755859375, -3.140625, 65504],
  )
  assert.deepEqual(
    Array.from(initializers.get("b")?.data ?? [], Number).map(fromBfloat16),
    [0.10009765625, -3.140625, 65536],
  )
  fails(InvalidTensor, /element 1 of tensor h is too large/, () =>
    writeBack(bytes, new Map([["h", float32([3], [1, -65520, 2])]])),
  )
  const patterns = tensor("float16", [3], Uint16Array.of(1, 2, 3))
  assert.deepEqual(readModel(writeBack(bytes, new Map([["h", patterns]]))).initializers.get("h"), patterns)
})

for (const [name, to, from, infinity] of [
  ["float16", toFloat16, fromFloat16, 0x7c00],
  ["bfloat16", toBfloat16, fromBfloat16, 0x7f80],
] as const) {
  test(`every ${name} pattern comes back, and ties between neighbours go to the even one`, () => {
    for (let pattern = 0; pattern < infinity; pattern++) {
      const value = from(pattern)
      assert.equal(to(value), pattern)
      assert.equal(to(-value), pattern | 0x8000)
      const next = pattern + 1 === infinity ? value + (value - from(pattern - 1)) : from(pattern + 1)
      const tie = Math.fround((value + next) / 2)
      assert.equal(to(tie), pattern % 2 === 0 ? pattern : pattern + 1)
      if (tie > 1e-36) {
        assert.equal(to(tie * (1 - 2 ** -20)), pattern)
        assert.equal(to(tie * (1 + 2 ** -20)), pattern + 1)
      }
    }
    assert.equal(to(Infinity), infinity)
    assert.equal(to(-Infinity), infinity | 0x8000)
    assert.ok(Number.isNaN(from(to(Number.NaN))))
  })
}

test("what does not fit is refused, and says which tensor", () => {
  const bytes = modelOf([
    { name: "w", dataType: TensorProto_DataType.FLOAT, dims: [2n], floatData: [1, 2] },
    { name: "i", dataType: TensorProto_DataType.INT64, dims: [1n], int64Data: [7n] },
    { name: "r", dataType: TensorProto_DataType.INT64, dims: [1n], rawData: new Uint8Array(8) },
  ])
  const put = (name: string, value: Tensor) => () => writeBack(bytes, new Map([[name, value]]), { file: "model.onnx" })
  fails(InvalidTensor, /no tensor missing/, put("missing", float32([2], [1, 2])))
  fails(InvalidTensor, /w has another shape/, put("w", float32([1, 2], [1, 2])))
  fails(InvalidTensor, /w has another element type/, put("w", int64([2], [1, 2])))
  fails(InvalidTensor, /r has another element type/, put("r", float32([1], [1])))
  fails(InvalidTensor, /no tensor i/, put("i", int64([1], [1])))
  assert.deepEqual(readModel(put("r", int64([1], [9]))()).initializers.get("r"), int64([1], [9]))
  for (const length of [1, 20, bytes.length - 3]) {
    fails(InvalidModel, /not a readable ONNX model/, () => writeBack(bytes.subarray(0, length), new Map()))
  }
})

const external = (location: string, offset: number, length = 8) => ({
  dataType: TensorProto_DataType.FLOAT,
  dims: [2n],
  dataLocation: TensorProto_DataLocation.EXTERNAL,
  externalData: [
    { key: "location", value: location },
    { key: "offset", value: `${offset}` },
    { key: "length", value: `${length}` },
  ],
})

test("tensors in data files are replaced in copies of those files", () => {
  const bytes = modelOf([
    { name: "a", ...external("weights.bin", 4) },
    { name: "b", ...external("weights.bin", 12) },
    { name: "c", ...external("other.bin", 0) },
    { name: "d", dataType: TensorProto_DataType.FLOAT, dims: [1n], floatData: [1] },
  ])
  const files: Readonly<Record<string, Uint8Array>> = {
    "weights.bin": new Uint8Array(24).fill(7),
    "other.bin": new Uint8Array(8),
  }
  const read = (location: string): Uint8Array => files[location] ?? new Uint8Array()
  const change = new Map([
    ["b", float32([2], [1, 2])],
    ["d", float32([1], [3])],
  ])
  fails(UnsupportedModel, /b lies in the data file weights.bin/, () => writeBack(bytes, change))
  const after = writeBackExternal(bytes, change, { external: read })
  assert.deepEqual([...after.files.keys()], ["weights.bin"])
  const data = after.files.get("weights.bin") ?? new Uint8Array()
  assert.deepEqual([...data.subarray(0, 12), ...data.subarray(20)], new Array(16).fill(7))
  assert.ok(read("weights.bin").every((byte) => byte === 7))
  const { initializers } = readModel(after.model, {
    external: (location) => after.files.get(location) ?? read(location),
  })
  assert.deepEqual(initializers.get("b"), float32([2], [1, 2]))
  assert.deepEqual(initializers.get("d"), float32([1], [3]))
  fails(InvalidModel, /c reaches beyond the end/, () =>
    writeBackExternal(bytes, new Map([["c", float32([2], [1, 2])]]), { external: () => new Uint8Array(7) }),
  )
})

test("tensors that share bytes of a data file must stay equal", () => {
  const bytes = modelOf([
    { name: "a", ...external("w", 0) },
    { name: "b", ...external("w", 0) },
  ])
  const put = (...names: readonly (readonly [string, number])[]) =>
    writeBackExternal(bytes, new Map(names.map(([name, value]) => [name, float32([2], [value, value])])), {
      external: () => new Uint8Array(8),
    })
  fails(InvalidModel, /share bytes in w/, () => put(["a", 1]))
  fails(InvalidModel, /share bytes in w/, () => put(["a", 1], ["b", 2]))
  assert.deepEqual(put(["a", 1], ["b", 1]).files.get("w")?.subarray(0, 4), Uint8Array.of(0, 0, 128, 63))
})

test("paths out of the model's folder are refused", () => {
  for (const path of ["/etc/passwd", "../x", "a/../../x", "C:\\x", "a\\..\\x", ""]) {
    const bytes = modelOf([{ name: "a", ...external(path, 0) }])
    fails(InvalidModel, /outside the model's folder/, () => readModel(bytes, { external: () => new Uint8Array(8) }))
    fails(InvalidModel, /outside the model's folder/, () =>
      writeBackExternal(bytes, new Map(), { external: () => new Uint8Array(8) }),
    )
  }
})
