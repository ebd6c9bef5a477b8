import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Exact, KnowledgeStore, StoreAccessError, type StoreIdentity } from "@tandem/store"
import { Effect, Stream } from "effect"
import { Retriever, type RetrieverOptions } from "../../src/Retriever.ts"
import { storeIdentity } from "../../src/StoreIdentity.ts"
import { towerFrom, towerOf, untiedTowers } from "../../src/Towers.ts"
import { corpus, largestDifference, row, smallEncoder, texts } from "../support/Encoders.ts"
import { withRuntime } from "../support/Run.ts"

const encoder = smallEncoder(1)
const tower = towerOf(encoder)
const shared: RetrieverOptions = { query: tower, passage: tower, similarity: "cosine" }
const passages = corpus.map((text, index) => ({ id: `p${index}`, text, title: `title ${index}` }))

/** Runs against an exact store of this identity. */
const withRetriever = <A, E>(
  options: RetrieverOptions,
  effect: Effect.Effect<A, E, Retriever | KnowledgeStore>,
  change: Partial<StoreIdentity> = {},
) =>
  withRuntime(
    Effect.gen(function* () {
      const identity = { ...(yield* storeIdentity(options)), ...change }
      const store = yield* Exact.make(identity)
      return yield* effect.pipe(Effect.provide(Retriever.layer(options)), Effect.provideService(KnowledgeStore, store))
    }),
  )

describe("Retriever", () => {
  it("finds the passage that the query repeats, with the scores of the embeddings", () =>
    withRetriever(
      shared,
      Effect.gen(function* () {
        const retriever = yield* Retriever
        const events = yield* Stream.runCollect(retriever.index(Stream.fromIterable(passages), { chunkSize: 4 }))
        assert.deepEqual(
          events.map((event) => event.passages),
          [4, 6],
        )
        assert.equal(events.at(-1)?.truncated, 0)
        const vectors = yield* retriever.encodePassages(passages)
        const results = yield* retriever.search(corpus, 3)
        for (const [index, found] of results.entries()) {
          assert.equal(found[0]?.passage.id, `p${index}`)
          assert.deepEqual(
            found.map(({ rank }) => rank),
            [1, 2, 3],
          )
          for (const { passage, score } of found) {
            const other = row(vectors, Number(passage.id.slice(1)), 16)
            const cosine = row(vectors, index, 16).reduce((sum, value, i) => sum + value * other[i]!, 0)
            assert.ok(Math.abs(score - cosine) < 1e-5)
          }
        }
        assert.deepEqual(yield* retriever.search([], 3), [])
        const { fingerprint } = yield* (yield* KnowledgeStore).metadata
        assert.equal(fingerprint, retriever.identity.fingerprint)
      }),
    ))

  it("counts the passages that it cut", () =>
    withRetriever(
      { ...shared, maxLength: 16 },
      Effect.gen(function* () {
        const retriever = yield* Retriever
        const long = texts(30).map((text, index) => ({ id: `${index}`, text }))
        const events = yield* Stream.runCollect(retriever.index(Stream.fromIterable(long)))
        const { truncated = 0, passages: count } = events.at(-1)!
        assert.equal(count, 30)
        assert.ok(truncated > 10 && truncated < 30)
      }),
    ))

  it("encodes queries with one tower and passages with the other", () => {
    const towers = untiedTowers(encoder, smallEncoder(2))
    const [query, passage] = [towerFrom(towers, "query"), towerFrom(towers, "passage")]
    return withRetriever(
      { query, passage, similarity: "dot" },
      Effect.gen(function* () {
        const retriever = yield* Retriever
        const [one, other] = [yield* retriever.encodeQueries(corpus), yield* retriever.encodePassages(corpus)]
        assert.ok(largestDifference(one, other) > 1e-2)
        yield* Stream.runDrain(retriever.index(Stream.fromIterable(passages)))
        const [found = []] = yield* retriever.search([corpus[2]!], 6)
        const scores = passages.map((_, index) =>
          row(one, 2, 16).reduce((sum, value, i) => sum + value * other[index * 16 + i]!, 0),
        )
        const order = passages.map(({ id }) => id).sort((a, b) => scores[+b.slice(1)]! - scores[+a.slice(1)]!)
        assert.deepEqual(
          found.map((hit) => hit.passage.id),
          order,
        )
      }),
    )
  })

  for (const change of [{ dimension: 8 }, { similarity: "dot" }, { fingerprint: "of another encoder" }] as const) {
    const [field = ""] = Object.keys(change)
    it(`refuses a store of another ${field}`, () =>
      withRetriever(
        shared,
        Effect.gen(function* () {
          const retriever = yield* Retriever
          const errors = [
            yield* Effect.flip(Stream.runDrain(retriever.index(Stream.fromIterable(passages)))),
            yield* Effect.flip(retriever.search(["river"], 1)),
          ]
          for (const error of errors) {
            assert.equal(error._tag, "StoreMismatch")
            assert.ok("field" in error && error.field === field)
          }
          assert.equal((yield* (yield* KnowledgeStore).metadata).count, 0)
        }),
        change,
      ))
  }

  it("says so where the store cannot be reached", () =>
    withRuntime(
      Effect.gen(function* () {
        const lost = new StoreAccessError({ message: "the connection was lost" })
        const store = { ...(yield* Exact.make(yield* storeIdentity(shared))), metadata: Effect.fail(lost) }
        const errors = yield* Effect.gen(function* () {
          const retriever = yield* Retriever
          return [
            yield* Effect.flip(retriever.search(["river"], 1)),
            yield* Effect.flip(Stream.runDrain(retriever.index(Stream.fromIterable(passages)))),
          ]
        }).pipe(Effect.provide(Retriever.layer(shared)), Effect.provideService(KnowledgeStore, store))
        assert.deepEqual(errors, [lost, lost])
      }),
    ))

  it("keeps what it added before a piece that fails", () =>
    withRetriever(
      shared,
      Effect.gen(function* () {
        const retriever = yield* Retriever
        const twice = Stream.fromIterable([...passages, passages[0]!])
        const error = yield* Effect.flip(Stream.runDrain(retriever.index(twice, { chunkSize: 3 })))
        assert.equal(error._tag, "DuplicateId")
        assert.equal((yield* (yield* KnowledgeStore).metadata).count, 6)
      }),
    ))
})
