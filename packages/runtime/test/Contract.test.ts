import { describe, it } from "node:test"
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
