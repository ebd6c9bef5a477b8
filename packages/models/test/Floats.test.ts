import assert from "node:assert/strict"
import { test } from "node:test"
import { tensor, toNumbers } from "@tandem/onnx"
import { toFloat32 } from "../src/Floats.ts"

test("half-width floats widen exactly", () => {
  const half = tensor("float16", [6], Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555, 0x8000))
  assert.deepEqual(toNumbers(toFloat32(half, "x")), [1, -2, 2 ** -24, Infinity, 0.333251953125, -0])
  const brain = tensor("bfloat16", [3], Uint16Array.of(0x3f80, 0xc000, 0x3eab))
  assert.deepEqual(toNumbers(toFloat32(brain, "x")), [1, -2, 0.333984375])
})
