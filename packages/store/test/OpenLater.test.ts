// A store that is opened when it is first searched.
import assert from "node:assert/strict"
import { test } from "node:test"
import { CorruptStoreError, Exact, openLater } from "@tandem/store"
import { Effect, Stream } from "effect"

const identity = { dimension: 2, similarity: "dot", fingerprint: "f" } as const

test("it is opened once, by what needs its passages, and tried again after a failure", async () => {
  let opened = 0
  const open = Effect.gen(function* () {
    opened++
    if (opened === 1) return yield* new CorruptStoreError({ message: "a file is cut off", file: "vectors" })
    const made = yield* Exact.make(identity)
    const passages = [{ id: "a", text: "the mill" }]
    yield* made.add({ passages, vectors: Float32Array.of(1, 2), fingerprint: "f" })
    return made
  })
  const found = await Effect.runPromise(
    Effect.gen(function* () {
      const store = yield* openLater({ ...identity, count: 1 }, open)
      const before = yield* store.metadata
      assert.deepEqual([before.count, opened], [1, 0])
      const search = store.search({ vectors: Float32Array.of(1, 1), k: 1 })
      const failed = yield* Effect.flip(search)
      assert.deepEqual([failed._tag, failed.message, failed.file], ["StoreAccess", "a file is cut off", "vectors"])
      const hits = yield* Effect.all([search, search], { concurrency: 2 })
      const passages = yield* Stream.runCollect(store.scan)
      const [got] = yield* store.get(["a"])
      yield* store.add({ passages: [{ id: "b", text: "" }], vectors: Float32Array.of(0, 1), fingerprint: "f" })
      const after = yield* store.metadata
      return [hits.map(([row]) => row?.[0]?.score), passages.length, got?.text, after.count]
    }),
  )
  assert.deepEqual(found, [[3, 3], 1, "the mill", 2])
  assert.equal(opened, 2)
})
