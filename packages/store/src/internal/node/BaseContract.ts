import assert from "node:assert/strict"
import { describe, it } from "node:test"
import { Effect, Exit, type Layer, Stream } from "effect"
import { KnowledgeStore, type KnowledgeStoreShape } from "../../KnowledgeStore.ts"
import type { StoreIdentity, StoreSimilarity } from "../../StoreContents.ts"
import type { SearchError, StoreAccessError } from "../../StoreError.ts"
import {
  assertFails,
  batchOf,
  dimension,
  fingerprint,
  identityOf,
  numbers,
  passage,
  passages,
  row,
  scoreBy,
} from "./ContractSamples.ts"

/** A new store for the given identity; called once a test. */
export type MakeStoreLayer = (identity: StoreIdentity) => Layer.Layer<KnowledgeStore, unknown>

/** Every vector of a store in insertion order, by what the contract gives. */
const storedVectors = (store: KnowledgeStoreShape): Effect.Effect<Float32Array, SearchError | StoreAccessError> =>
  Effect.gen(function* () {
    const ids = yield* Stream.runCollect(Stream.map(store.scan, ({ id }) => id))
    const [hits = []] = yield* store.search({ vectors: numbers(dimension, 1), k: ids.length, withVectors: true })
    const vectors = new Map(hits.map((hit) => [hit.passage.id, hit.vector]))
    return Float32Array.from(ids.flatMap((id) => Array.from(vectors.get(id) ?? [])))
  })

/**
 * The contract of `KnowledgeStore` as a suite of `node:test`: of every store, one in memory or a database. An
 * implementation joins by one row:
 *
 * ```ts
 * import { Exact } from "@tandem/store"
 * import { embeddedStoreContract, knowledgeStoreContract } from "@tandem/store/testing"
 *
 * knowledgeStoreContract("exact", Exact.layer)
 * embeddedStoreContract("exact", Exact.layer)
 * ```
 *
 * Approximate layers pass as well: the corpora are small enough for them to be exact.
 */
export const knowledgeStoreContract = (name: string, makeLayer: MakeStoreLayer): void => {
  const withStore = <A, E>(
    similarity: StoreSimilarity,
    use: (store: KnowledgeStoreShape) => Effect.Effect<A, E>,
  ): Promise<A> =>
    Effect.runPromise(Effect.provide(Effect.flatMap(KnowledgeStore, use), makeLayer(identityOf(similarity))))

  describe(`KnowledgeStore contract: ${name}`, () => {
    it("starts empty and says what it is", () =>
      withStore("dot", (store) =>
        Effect.gen(function* () {
          assert.deepEqual(yield* store.metadata, { dimension, similarity: "dot", fingerprint, count: 0 })
          assert.deepEqual(yield* store.search({ vectors: numbers(2 * dimension, 3), k: 5 }), [[], []])
          assert.deepEqual(yield* store.search({ vectors: new Float32Array(0), k: 5 }), [])
          assert.deepEqual(yield* Stream.runCollect(store.scan), [])
        }),
      ))

    for (const similarity of ["dot", "cosine", "l2"] as const)
      it(`finds the best passages by ${similarity}, best first, with scores where higher is better`, () =>
        withStore(similarity, (store) =>
          Effect.gen(function* () {
            const batch = batchOf(150)
            yield* store.add(batch)
            const queries = numbers(37 * dimension, 9)
            const results = yield* store.search({ vectors: queries, k: 7, fingerprint })
            assert.equal(results.length, 37)
            for (const [q, hits] of results.entries()) {
              const expected = batch.passages
                .map(({ id }, i) => ({ id, score: scoreBy[similarity](row(queries, q), row(batch.vectors, i)) }))
                .sort((a, b) => b.score - a.score)
                .slice(0, 7)
              assert.deepEqual(
                hits.map((hit) => hit.passage.id),
                expected.map(({ id }) => id),
              )
              for (const [i, hit] of hits.entries()) assert.ok(Math.abs(hit.score - expected[i]!.score) < 1e-5)
            }
          }),
        ))

    it("gives a query the same result alone and in any batch", () =>
      withStore("cosine", (store) =>
        Effect.gen(function* () {
          yield* store.add(batchOf(103))
          const queries = numbers(6 * dimension, 4)
          const together = yield* store.search({ vectors: queries, k: 4 })
          for (let q = 0; q < 6; q++)
            assert.deepEqual(yield* store.search({ vectors: row(queries, q), k: 4 }), [together[q]])
        }),
      ))

    it("keeps the order of insertion among equal scores, and gives what there is for a large k", () =>
      withStore("dot", (store) =>
        Effect.gen(function* () {
          yield* store.add({ passages: passages(60), vectors: new Float32Array(60 * dimension).fill(0.5), fingerprint })
          const vectors = new Float32Array(dimension).fill(1)
          const ids = (k: number) =>
            Effect.map(store.search({ vectors, k }), ([hits]) => hits?.map((hit) => hit.passage.id))
          assert.deepEqual(
            yield* ids(1000),
            passages(60).map(({ id }) => id),
          )
        }),
      ))

    for (const similarity of ["dot", "cosine", "l2"] as const)
      it(`gives hits their vectors where they are asked for, the stored numbers exactly (${similarity})`, () =>
        withStore(similarity, (store) =>
          Effect.gen(function* () {
            const batch = batchOf(40)
            yield* store.add(batch)
            const vectors = numbers(3 * dimension, 5)
            const plain = yield* store.search({ vectors, k: 6 })
            for (const hit of plain.flat()) assert.ok(!("vector" in hit))
            const found = yield* store.search({ vectors, k: 6, withVectors: true })
            for (const { passage, vector } of found.flat())
              assert.deepEqual(vector, row(batch.vectors, Number(passage.id.slice(1))).slice())
            assert.deepEqual(
              found.map((hits) => hits.map(({ passage, score }) => ({ passage, score }))),
              plain,
            )
            for (const { vector } of found.flat()) vector?.fill(7)
            assert.deepEqual(yield* storedVectors(store), batch.vectors)
          }),
        ))

    it("gets by id in the order asked for, and scans in the order of insertion", () =>
      withStore("dot", (store) =>
        Effect.gen(function* () {
          const first = batchOf(3)
          const second = {
            ...batchOf(2, 2, "q"),
            passages: [{ id: "é", text: "", metadata: { page: 3 } }, passage("q1")],
          }
          yield* store.add(first)
          yield* store.add(second)
          assert.deepEqual(yield* store.get(["q1", "p0", "é"]), [passage("q1"), passage("p0"), second.passages[0]])
          assert.deepEqual(yield* store.get([]), [])
          yield* assertFails(store.get(["p0", "p9"]), "PassageNotFound", /p9/)
          assert.deepEqual(yield* Stream.runCollect(store.scan), [...first.passages, ...second.passages])
          assert.deepEqual(yield* storedVectors(store), Float32Array.of(...first.vectors, ...second.vectors))
        }),
      ))

    it("does not keep the caller's array", () =>
      withStore("dot", (store) =>
        Effect.gen(function* () {
          const batch = batchOf(4)
          const before = batch.vectors.slice()
          yield* store.add(batch)
          batch.vectors.fill(7)
          assert.deepEqual(yield* storedVectors(store), before)
        }),
      ))

    const refused: readonly (readonly [string, string, RegExp, (vectors: Float32Array) => object])[] = [
      ["NaN", "InvalidVector", /"p1".*NaN/, (v) => ({ vectors: v.with(dimension + 2, Number.NaN) })],
      ["Infinity", "InvalidVector", /"p2".*-Infinity/, (v) => ({ vectors: v.with(3 * dimension - 1, -Infinity) })],
      ["zeros under cosine", "InvalidVector", /"p0".*zeros/, (v) => ({ vectors: v.fill(0, 0, dimension) })],
      ["another dimension", "StoreMismatch", /dimension/, () => ({ vectors: numbers(3 * 5, 1) })],
      ["a wrong length", "InvalidRequest", /does not fit/, (v) => ({ vectors: v.subarray(1) })],
      ["an id twice", "DuplicateId", /"p1"/, () => ({ passages: [passage("p0"), passage("p1"), passage("p1")] })],
      [
        "a known id",
        "DuplicateId",
        /"k1".*already/,
        () => ({ passages: [passage("p0"), passage("k1"), passage("p2")] }),
      ],
      ["another encoder", "StoreMismatch", /encoder-1.*/, () => ({ fingerprint: "encoder-2" })],
    ]
    for (const [what, tag, pattern, change] of refused)
      it(`refuses ${what}, and changes nothing`, () =>
        withStore("cosine", (store) =>
          Effect.gen(function* () {
            yield* store.add(batchOf(2, 5, "k"))
            const before = yield* Stream.runCollect(store.scan)
            const vectors = yield* storedVectors(store)
            const batch = batchOf(3)
            yield* assertFails(store.add({ ...batch, ...change(batch.vectors.slice()) }), tag, pattern)
            assert.equal((yield* store.metadata).count, 2)
            assert.deepEqual(yield* Stream.runCollect(store.scan), before)
            assert.deepEqual(yield* storedVectors(store), vectors)
            yield* store.add(batch)
            const [hits] = yield* store.search({ vectors: row(batch.vectors, 1), k: 1 })
            assert.equal(hits?.[0]?.passage.id, "p1")
          }),
        ))

    it("refuses a search that makes no sense, naming what it expected", () =>
      withStore("cosine", (store) =>
        Effect.gen(function* () {
          yield* store.add(batchOf(5))
          const vectors = numbers(dimension, 2)
          for (const k of [0, -1, 1.5, Number.NaN])
            yield* assertFails(store.search({ vectors, k }), "InvalidRequest", /passages/)
          yield* assertFails(store.search({ vectors: vectors.with(3, Number.NaN), k: 1 }), "InvalidRequest", /NaN at 3/)
          yield* assertFails(store.search({ vectors: vectors.fill(0), k: 1 }), "InvalidRequest", /zeros/)
          yield* assertFails(store.search({ vectors: numbers(dimension + 1, 2), k: 1 }), "StoreMismatch", /dimension 8/)
          const error = yield* assertFails(
            store.search({ vectors: numbers(dimension, 2), k: 1, fingerprint: "encoder-2" }),
            "StoreMismatch",
            /fingerprint/,
          )
          assert.ok("expected" in error && "found" in error)
          assert.deepEqual([error.expected, error.found], [fingerprint, "encoder-2"])
        }),
      ))

    it("adds in pieces what can be found as one", () =>
      withStore("l2", (store) =>
        Effect.gen(function* () {
          const all = batchOf(90)
          for (let start = 0; start < 90; start += 15)
            yield* store.add({
              passages: all.passages.slice(start, start + 15),
              vectors: all.vectors.subarray(start * dimension, (start + 15) * dimension),
              fingerprint,
            })
          const results = yield* store.search({ vectors: all.vectors, k: 1 })
          assert.deepEqual(
            results.map(([hit]) => hit?.passage.id),
            all.passages.map(({ id }) => id),
          )
        }),
      ))

    it("takes adds and searches at once: each sees whole batches, and of two with the same ids one wins", () =>
      withStore("dot", (store) =>
        Effect.gen(function* () {
          const adds = Array.from({ length: 6 }, (_, i) => store.add(batchOf(80, i, `b${i}-`)))
          const searches = Array.from({ length: 12 }, (_, i) =>
            store.search({ vectors: numbers(dimension, i), k: 999 }),
          )
          const sizes = Effect.all(
            searches.map((search) => Effect.map(search, ([hits]) => hits?.length ?? -1)),
            { concurrency: "unbounded" },
          )
          const [found] = yield* Effect.all([sizes, Effect.all(adds, { concurrency: "unbounded" })], {
            concurrency: "unbounded",
          })
          for (const size of found) assert.equal(size % 80, 0)
          assert.equal((yield* store.metadata).count, 480)
          const exits = yield* Effect.all(
            [1, 2, 3].map((seed) => Effect.exit(store.add(batchOf(70, seed, "same")))),
            { concurrency: "unbounded" },
          )
          assert.deepEqual(exits.map(Exit.isSuccess).sort(), [false, false, true])
          assert.equal((yield* store.metadata).count, 550)
        }),
      ))

    it("a scan stays as it was when it started, while passages are added", () =>
      withStore("dot", (store) =>
        Effect.gen(function* () {
          yield* store.add(batchOf(3))
          const ids = yield* store.scan.pipe(
            Stream.mapEffect((each, index) =>
              Effect.as(index === 0 ? store.add(batchOf(5, 2, "q")) : Effect.void, each.id),
            ),
            Stream.runCollect,
          )
          assert.deepEqual(ids, ["p0", "p1", "p2"])
          assert.equal((yield* store.metadata).count, 8)
        }),
      ))
  })
}
