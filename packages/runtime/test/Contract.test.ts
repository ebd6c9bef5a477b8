import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Runtime } from "@tandem/runtime"
import { layer as nodeLayer } from "@tandem/runtime/node/NodeRuntime"
import { runtimePromises } from "@tandem/runtime/testing"
import { layer as webLayer } from "@tandem/runtime/web/WebRuntime"
import { Effect } from "effect"

const layers = {
  "onnxruntime-node's CPU": nodeLayer({ device: "cpu", threads: 1 }),
  "onnxruntime-web's WebAssembly": webLayer({ device: "wasm" }),
}

for (const [name, layer] of Object.entries(layers)) {
  describe(name, () => {
    for (const promise of runtimePromises)
      it(promise.name, () => Effect.runPromise(Effect.scoped(promise.check).pipe(Effect.provide(layer))))
  })
}

describe("onnxruntime-web where there is no navigator.gpu", () => {
  it("refuses WebGPU with a hint, and tells when auto falls back", async () => {
    const device = Effect.gen(function* () {
      return (yield* Runtime).device
    })
    const refused = await Effect.runPromise(Effect.flip(Effect.provide(device, webLayer({ device: "webgpu" }))))
    assert.equal(refused._tag, "ProviderUnavailable")
    assert.match(refused.message, /navigator\.gpu/)
    assert.match(refused.hint ?? "", /secure page/)
    const found = await Effect.runPromise(Effect.provide(device, webLayer({ device: "auto" })))
    assert.equal(found.provider, "wasm")
    assert.deepEqual(found.fallbacks, [refused.message])
  })
})
