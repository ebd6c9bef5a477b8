import assert from "node:assert/strict"
import { it } from "node:test"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"

it("refuses a device that cannot be had, with a hint, and tells when auto falls back", async () => {
  const refused = await Effect.runPromise(
    Effect.flip(Effect.scoped(Effect.provide(Runtime, layer({ device: "cuda" })))),
  )
  assert.equal(refused._tag, "ProviderUnavailable")
  assert.match(refused.hint ?? "", /npm rebuild onnxruntime-node/)
  const device = await Effect.runPromise(
    Effect.gen(function* () {
      return (yield* Runtime).device
    }).pipe(Effect.provide(layer({ device: "auto" }))),
  )
  assert.equal(device.provider, "cpu")
  assert.equal(device.fallbacks.length, 2)
})
