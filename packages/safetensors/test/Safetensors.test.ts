import assert from "node:assert/strict"
import { readFileSync } from "node:fs"
import { test } from "node:test"
import { fileURLToPath } from "node:url"
import { float32, type Tensor, tensor } from "@tandem/onnx"
import { InvalidSafetensors } from "../src/Errors.ts"
import { readSafetensors, writeSafetensors } from "../src/Safetensors.ts"

const golden = (path: string) => fileURLToPath(new URL(`../../../test/golden/${path}`, import.meta.url))

const file = (header: unknown, data: number, length?: number): Uint8Array => {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header))
  const bytes = new Uint8Array(8 + text.byteLength + data)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length ?? text.byteLength), true)
  bytes.set(text, 8)
  return bytes
}

const entry = (start: number, end: number, shape = [(end - start) / 4], dtype = "F32") => ({
  dtype,
  shape,
  data_offsets: [start, end],
})

test("a file of PyTorch's safetensors library is read as views and written with the same content", () => {
  const bytes = new Uint8Array(readFileSync(golden("bert-tiny/model.safetensors")))
  const { tensors, metadata } = readSafetensors(bytes)
  assert.deepEqual(metadata, { format: "pt" })
  const words = tensors.get("embeddings.word_embeddings.weight")
  assert.deepEqual([words?.type, words?.dims], ["float32", [120, 32]])
  assert.ok(ArrayBuffer.isView(words?.data) && words.data.buffer === bytes.buffer)
  const again = readSafetensors(writeSafetensors(tensors, metadata))
  assert.equal(again.tensors.size, tensors.size)
  for (const [name, value] of tensors) assert.deepEqual(again.tensors.get(name), value)
  assert.deepEqual(writeSafetensors(again.tensors, metadata), writeSafetensors(tensors, metadata))
})

test("every element type survives writing and reading, at any alignment of the file", () => {
  const values = new Map<string, Tensor>([
    ["a", tensor("float64", [2], Float64Array.of(1, -2))],
    ["b", float32([], [3])],
    ["c", tensor("float16", [2], Uint16Array.of(0x3c00, 1))],
    ["d", tensor("bfloat16", [1], Uint16Array.of(0x3f80))],
    ["e", tensor("int64", [1], BigInt64Array.of(-5n))],
    ["f", tensor("uint64", [1], BigUint64Array.of(5n))],
    ["g", tensor("int32", [1, 2], Int32Array.of(-1, 7))],
    ["h", tensor("uint32", [1], Uint32Array.of(7))],
    ["i", tensor("int16", [1], Int16Array.of(-7))],
    ["j", tensor("uint16", [1], Uint16Array.of(7))],
    ["k", tensor("int8", [3], Int8Array.of(-1, 0, 1))],
    ["l", tensor("uint8", [0], new Uint8Array())],
    ["m", tensor("bool", [2], Uint8Array.of(0, 1))],
  ])
  const bytes = writeSafetensors(values, { note: "é" })
  for (const shift of [0, 1, 4]) {
    const moved = new Uint8Array(bytes.byteLength + shift)
    moved.set(bytes, shift)
    const { tensors, metadata } = readSafetensors(moved.subarray(shift))
    assert.deepEqual(metadata, { note: "é" })
    assert.deepEqual(new Map([...tensors].sort(([a], [b]) => (a < b ? -1 : 1))), values)
  }
})

const cases: readonly (readonly [string, Uint8Array, RegExp, string | undefined])[] = [
  ["empty", new Uint8Array(), /too short/, undefined],
  ["header longer than the file", file({}, 0, 1000), /longer than the file/, undefined],
  ["absurd header length", file({}, 0, 2 ** 52), /longer than the file/, undefined],
  ["header cut off", file('{"a": {"dtype"', 0), /not JSON/, undefined],
  ["header of another kind", file("[1]", 0), /not a JSON object/, undefined],
  ["out of range", file({ a: entry(0, 8) }, 4), /beyond the end/, "a"],
  ["overlap", file({ a: entry(0, 8), b: entry(4, 12) }, 12), /tensor b overlaps a/, "b"],
  ["the same place twice", file({ a: entry(0, 8), b: entry(0, 8) }, 8), /overlaps/, "b"],
  ["gap", file({ a: entry(0, 4), b: entry(8, 12) }, 12), /gap after a/, "b"],
  ["bytes that belong to nothing", file({ a: entry(0, 4) }, 8), /do not cover/, undefined],
  ["size against shape", file({ a: entry(0, 8, [3]) }, 8), /wrong number of bytes/, "a"],
  ["negative dimension", file({ a: entry(0, 8, [-2]) }, 8), /no possible shape/, "a"],
  ["huge shape", file({ a: entry(0, 8, [2 ** 40, 2 ** 40]) }, 8), /no possible shape/, "a"],
  ["backward offsets", file({ a: entry(8, 4, [1]) }, 8), /no possible place/, "a"],
  ["no offsets", file({ a: { dtype: "F32", shape: [1] } }, 4), /no possible place/, "a"],
  ["unknown type", file({ a: entry(0, 4, [4], "F8_E4M3") }, 4), /not known/, "a"],
  ["duplicate name", file('{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":1}', 0), /stands twice/, "a"],
  ["metadata of numbers", file({ __metadata__: { a: 1 } }, 0), /metadata/, undefined],
]

for (const [name, bytes, message, tensorName] of cases) {
  test(`malformed: ${name}`, () => {
    assert.throws(
      () => readSafetensors(bytes, "model.safetensors"),
      (error) => {
        assert.ok(error instanceof InvalidSafetensors)
        assert.match(error.message, message)
        assert.equal(error.tensor, tensorName)
        assert.equal(error.file, "model.safetensors")
        return true
      },
    )
  })
}
