// Run in a project that holds @tandem/store, @tandem/runtime and effect alone: prints, as JSON, what works and what the
// layers say whose packages are missing.
import * as NodeRuntime from "@tandem/runtime/node/NodeRuntime"
import * as WebRuntime from "@tandem/runtime/web/WebRuntime"
import { Exact, KnowledgeStore } from "@tandem/store"
import * as Usearch from "@tandem/store/node/Usearch"
import { Effect, Layer } from "effect"

const identity = { dimension: 2, similarity: "cosine", fingerprint: "an encoder" } as const
const passages = [
  { id: "hawk", text: "The Wright brothers flew here in 1903." },
  { id: "boat", text: "The steamboat crossed the lake." },
]

const search = Effect.gen(function* () {
  const store = yield* KnowledgeStore
  yield* store.add({ passages, vectors: Float32Array.of(0.9, 0.1, 0.2, 0.8), fingerprint: identity.fingerprint })
  const [hits = []] = yield* store.search({ vectors: Float32Array.of(1, 0), k: 1 })
  return hits.map(({ passage }) => passage.id)
})

const errorOf = <A, E extends { readonly _tag: string; readonly message: string; readonly hint?: string | undefined }>(
  layer: Layer.Layer<A, E>,
) =>
  Effect.map(Effect.flip(Effect.scoped(Layer.build(layer))), ({ _tag, message, hint }) => ({
    tag: _tag,
    message,
    hint,
  }))

const program = Effect.gen(function* () {
  return {
    found: yield* Effect.provide(search, Exact.layer(identity)),
    node: yield* errorOf(NodeRuntime.layer()),
    web: yield* errorOf(WebRuntime.layer()),
    usearch: yield* errorOf(Usearch.layer(identity)),
  }
})
console.log(JSON.stringify(await Effect.runPromise(program)))
