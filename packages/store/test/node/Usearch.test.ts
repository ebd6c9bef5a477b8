import assert from "node:assert/strict"
import { test } from "node:test"
import { lcg32 } from "@tandem/random"
import { Exact } from "@tandem/store"
import * as Usearch from "@tandem/store/node/Usearch"
import { Effect } from "effect"

const numbers = (count: number, seed: number): Float32Array => {
  const next = lcg32(seed)
  return Float32Array.from({ length: count }, () => next() / 2 ** 31 - 1)
}

test("in a larger corpus it finds nearly what the exact store finds, with the same scores", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const identity = { dimension: 24, similarity: "cosine" as const, fingerprint: "" }
      const contents = {
        identity,
        passages: Array.from({ length: 3000 }, (_, i) => ({ id: `${i}`, text: "" })),
        vectors: numbers(3000 * 24, 5),
      }
      const exact = yield* Exact.make(identity)
      const approximate = yield* Usearch.make(identity)
      yield* exact.replace(contents)
      yield* approximate.replace(contents)
      const request = { vectors: numbers(200 * 24, 6), k: 10 }
      const expected = yield* exact.search(request)
      const found = yield* approximate.search(request)
      let shared = 0
      for (const [q, hits] of found.entries()) {
        const scores = new Map(expected[q]?.map(({ passage, score }) => [passage.id, score]))
        for (const { passage, score } of hits) {
          const same = scores.get(passage.id)
          if (same === undefined) continue
          assert.equal(score, same)
          shared++
        }
      }
      assert.ok(shared / 2000 > 0.95, `${shared} of 2000`)
    }),
  ))

test("the same corpus gives the same results every time", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const identity = { dimension: 16, similarity: "dot" as const, fingerprint: "" }
      const vectors = numbers(1500 * 16, 3)
      const passages = Array.from({ length: 1500 }, (_, i) => ({ id: `${i}`, text: "" }))
      const results = []
      for (let run = 0; run < 2; run++) {
        const store = yield* Usearch.make(identity)
        yield* store.add({ passages, vectors, fingerprint: "" })
        results.push(yield* store.search({ vectors: numbers(50 * 16, 4), k: 5 }))
      }
      assert.deepEqual(results[0], results[1])
    }),
  ))

test("an option out of range is an error when the index is made, not a crash", async () => {
  const identity = { dimension: 2, similarity: "dot" as const, fingerprint: "" }
  const error = await Effect.runPromise(
    Effect.gen(function* () {
      const store = yield* Usearch.make(identity, { connectivity: -1 })
      yield* store.add({ passages: [{ id: "a", text: "" }], vectors: Float32Array.of(1, 2), fingerprint: "" })
    }).pipe(Effect.flip),
  )
  assert.equal(error._tag, "IndexFailure")
})
