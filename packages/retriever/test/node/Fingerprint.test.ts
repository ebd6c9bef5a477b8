import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { float32, toNumbers } from "@tandem/onnx"
import { Runtime } from "@tandem/runtime"
import { Effect } from "effect"
import { fingerprint } from "../../src/Fingerprint.ts"
import { towerOf } from "../../src/Towers.ts"
import { smallEncoder } from "../support/Encoders.ts"
import { withRuntime } from "../support/Run.ts"

const encoder = smallEncoder(1)
const name = "encoder.layer.1.output.dense.weight"
const original = encoder.parameters.get(name)!
const changed = float32(
  original.dims,
  toNumbers(original).map((value, index) => (index === 7 ? value + 1e-6 : value)),
)

describe("fingerprint", () => {
  it("is the same for the same encoder, wherever its weights lie", () =>
    withRuntime(
      Effect.gen(function* () {
        const tower = towerOf(encoder)
        const first = yield* fingerprint(tower)
        assert.match(first, /^[0-9a-f]{64}$/)
        assert.equal(yield* fingerprint(towerOf(smallEncoder(1))), first)
        const reversed = { ...encoder, parameters: new Map([...encoder.parameters].reverse()) }
        assert.equal(yield* fingerprint(towerOf(reversed)), first)
        const buffer = yield* (yield* Runtime).upload(original)
        assert.equal(yield* fingerprint({ encoder, weights: { ...tower.weights, [name]: buffer } }), first)
      }),
    ))

  it("changes with one weight and with every setting that decides a passage's vector", () =>
    withRuntime(
      Effect.gen(function* () {
        const tower = towerOf(encoder)
        const runtime = yield* Runtime
        const buffer = yield* runtime.upload(original)
        const resident = { encoder, weights: { ...tower.weights, [name]: buffer } }
        yield* runtime.write(buffer, changed)
        const fingerprints = yield* Effect.all([
          fingerprint(tower),
          fingerprint(towerOf(smallEncoder(2))),
          fingerprint(resident),
          fingerprint(tower, { titles: "prefix" }),
          fingerprint(tower, { maxLength: 32 }),
          fingerprint(towerOf({ ...encoder, pooling: { mode: "cls", normalize: false } })),
          fingerprint(towerOf({ ...encoder, prompts: { query: "", passage: "passage: " } })),
        ])
        assert.equal(new Set(fingerprints).size, fingerprints.length)
        assert.equal(
          yield* fingerprint({ encoder, weights: { ...tower.weights, [name]: changed } }),
          yield* fingerprint(resident),
        )
        assert.equal(
          yield* fingerprint(towerOf({ ...encoder, prompts: { query: "query: ", passage: "" } })),
          fingerprints[0],
        )
        const unit = towerOf({ ...encoder, pooling: { ...encoder.pooling, normalize: true } })
        assert.equal(yield* fingerprint(tower, { similarity: "cosine" }), yield* fingerprint(unit))
        assert.notEqual(yield* fingerprint(unit), fingerprints[0])
      }),
    ))
})
