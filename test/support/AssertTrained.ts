import assert from "node:assert/strict"
import type { Tensor } from "@tandem/onnx"

/** Asserts of every parameter that training moved it, or, where it was frozen, that its bits are what they were. */
export const assertTrained = (
  before: ReadonlyMap<string, Tensor>,
  after: ReadonlyMap<string, Tensor>,
  { frozen }: { readonly frozen: (name: string) => boolean },
): void => {
  assert.deepEqual([...after.keys()].sort(), [...before.keys()].sort())
  for (const [name, old] of before) {
    const bits = [old, after.get(name)!].map(({ data }) => {
      assert.ok(data instanceof Float32Array, `${name} holds no 32-bit floats`)
      return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    })
    const same = bits[0]!.equals(bits[1]!)
    if (frozen(name)) assert.ok(same, `${name} is frozen and changed`)
    else assert.ok(!same, `${name} did not move`)
  }
}
