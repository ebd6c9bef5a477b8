import assert from "node:assert/strict"
import { it } from "node:test"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/web/WebRuntime"
import { Effect } from "effect"

// Deno and browsers have a navigator.gpu; Node has none.
it("refuses WebGPU with a hint where there is no navigator.gpu, and tells when auto falls back", async () => {
  const device = Effect.gen(function* () {
    return (yield* Runtime).device
  })
  const refused = await Effect.runPromise(Effect.flip(Effect.provide(device, layer({ device: "webgpu" }))))
  assert.equal(refused._tag, "ProviderUnavailable")
  assert.match(refused.message, /navigator\.gpu/)
  assert.match(refused.hint ?? "", /secure page/)
  const found = await Effect.runPromise(Effect.provide(device, layer({ device: "auto" })))
  assert.equal(found.provider, "wasm")
  assert.deepEqual(found.fallbacks, [refused.message])
})
