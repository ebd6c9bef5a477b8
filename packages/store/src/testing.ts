import assert from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import type { Passage } from "@tandem/datasets"
import { Cause, Effect, Exit, type Layer, Stream } from "effect"
import { KnowledgeStore, type KnowledgeStoreShape } from "./KnowledgeStore.ts"
import { nodeFolder } from "./node/StoreFolder.ts"
import type { Similarity, StoreFolder, StoreIdentity } from "./StoreContents.ts"

/** A new store for the given identity; called once a test. */
export type MakeStoreLayer = (identity: StoreIdentity) => Layer.Layer<KnowledgeStore, unknown>

const dimension = 8
const fingerprint = "encoder-1"
const identityOf = (similarity: Similarity): StoreIdentity => ({ dimension, similarity, fingerprint })

const passage = (id: string): Passage => ({ id, title: `Title of ${id}`, text: `Text of ${id}` })
const passages = (count: number, prefix = "p"): Passage[] =>
  Array.from({ length: count }, (_, i) => passage(`${prefix}${i}`))

/** Reproducible numbers between −1 and 1. */
const numbers = (count: number, seed: number): Float32Array => {
  let state = seed >>> 0
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  })
}

const batchOf = (count: number, seed = 1, prefix = "p") => ({
  passages: passages(count, prefix),
  vectors: numbers(count * dimension, seed),
  fingerprint,
})

const scoreBy: { readonly [similarity in Similarity]: (q: Float32Array, p: Float32Array) => number } = {
  dot: (q, p) => q.reduce((sum, value, i) => sum + value * p[i]!, 0),
  cosine: (q, p) => scoreBy.dot(q, p) / Math.sqrt(scoreBy.dot(q, q) * scoreBy.dot(p, p)),
  l2: (q, p) => -q.reduce((sum, value, i) => sum + (value - p[i]!) ** 2, 0),
}

const row = (vectors: Float32Array, index: number): Float32Array =>
  vectors.subarray(index * dimension, (index + 1) * dimension)

const failure = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<unknown> =>
  Effect.map(Effect.exit(effect), (exit) => {
    assert.ok(Exit.isFailure(exit), "it should have failed")
    return Cause.squash(exit.cause)
  })

const assertFails = (effect: Effect.Effect<unknown, unknown>, tag: string, pattern: RegExp) =>
  Effect.map(failure(effect), (error) => {
    assert.ok(error instanceof Error && "_tag" in error, String(error))
    assert.equal(error._tag, tag)
    assert.match(error.message, pattern)
    return error
  })

const withFolder = async (use: (folder: StoreFolder) => Promise<void>): Promise<void> => {
  const path = await mkdtemp(join(tmpdir(), "tandem-store-"))
  try {
    await use(nodeFolder(join(path, "store")))
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

/**
 * The contract of `KnowledgeStore` as a suite of `node:test`. An implementation joins by one row:
 *
 * ```ts
 * import { Exact } from "@tandem/store"
 * import { knowledgeStoreContract } from "@tandem/store/testing"
 *
 * knowledgeStoreContract("exact", Exact.layer)
 * ```
 *
 * Approximate layers pass as well: the corpora are small enough for them to be exact.
 */
export const knowledgeStoreContract = (name: string, makeLayer: MakeStoreLayer): void => {
  const withStore = <A, E>(
    similarity: Similarity,
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
          const contents = yield* store.contents
          assert.deepEqual(contents.vectors, Float32Array.of(...first.vectors, ...second.vectors))
        }),
      ))

    it("does not keep the caller's array", () =>
      withStore("dot", (store) =>
        Effect.gen(function* () {
          const batch = batchOf(4)
          const before = batch.vectors.slice()
          yield* store.add(batch)
          batch.vectors.fill(7)
          assert.deepEqual((yield* store.contents).vectors, before)
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
            const before = { ...(yield* store.contents) }
            const vectors = before.vectors.slice()
            const batch = batchOf(3)
            yield* assertFails(store.add({ ...batch, ...change(batch.vectors.slice()) }), tag, pattern)
            assert.equal((yield* store.metadata).count, 2)
            const after = yield* store.contents
            assert.deepEqual(after.passages, before.passages)
            assert.deepEqual(after.vectors, vectors)
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

    it("swaps a whole index: a search sees the old one or the new one, never a mix", () =>
      withStore("dot", (store) =>
        Effect.gen(function* () {
          yield* store.add(batchOf(200, 1, "old"))
          const next = {
            identity: { dimension, similarity: "dot" as const, fingerprint: "encoder-2" },
            passages: passages(150, "new"),
            vectors: numbers(150 * dimension, 2),
          }
          const look = Effect.map(store.search({ vectors: numbers(70 * dimension, 3), k: 5 }), (results) => {
            const kinds = new Set(results.flat().map((hit) => hit.passage.id.slice(0, 3)))
            assert.equal(kinds.size, 1, "one search saw both indexes")
            return [...kinds][0]
          })
          const seen = yield* Effect.all([look, look, Effect.as(store.replace(next), "swap"), look, look], {
            concurrency: "unbounded",
          })
          assert.equal(seen[0], "old")
          assert.equal(yield* look, "new")
          assert.deepEqual(yield* store.metadata, { ...next.identity, count: 150 })
          yield* assertFails(store.get(["old1"]), "PassageNotFound", /old1/)
        }),
      ))

    it("a swap that fails leaves the old index", () =>
      withStore("dot", (store) =>
        Effect.gen(function* () {
          yield* store.add(batchOf(20))
          const contents = yield* store.contents
          const vectors = contents.vectors.slice().fill(Number.NaN, 0, 1)
          yield* assertFails(store.replace({ ...contents, vectors }), "InvalidVector", /"p0"/)
          yield* assertFails(
            store.replace({ ...contents, identity: { ...contents.identity, dimension: 0 } }),
            "InvalidRequest",
            /dimension 0/,
          )
          assert.equal((yield* store.metadata).count, 20)
          assert.equal((yield* store.search({ vectors: numbers(dimension, 1), k: 3 }))[0]?.length, 3)
        }),
      ))

    it("a stream and a view of the contents stay as they were while passages are added", () =>
      withStore("dot", (store) =>
        Effect.gen(function* () {
          yield* store.add(batchOf(3))
          const contents = yield* store.contents
          const ids = yield* store.scan.pipe(
            Stream.mapEffect((each, index) =>
              Effect.as(index === 0 ? store.add(batchOf(5, 2, "q")) : Effect.void, each.id),
            ),
            Stream.runCollect,
          )
          assert.deepEqual(ids, ["p0", "p1", "p2"])
          assert.equal(contents.passages.length, 3)
          assert.equal(contents.vectors.length, 3 * dimension)
          assert.equal((yield* store.metadata).count, 8)
        }),
      ))

    for (const similarity of ["dot", "cosine", "l2"] as const)
      it(`opens again what it saved (${similarity}), and goes on from there`, () =>
        withFolder(async (folder) => {
          const queries = numbers(9 * dimension, 8)
          const saved = await withStore(similarity, (store) =>
            Effect.gen(function* () {
              yield* store.add(batchOf(64))
              yield* store.snapshot(folder)
              return { contents: yield* store.contents, results: yield* store.search({ vectors: queries, k: 6 }) }
            }),
          )
          await withStore(similarity, (store) =>
            Effect.gen(function* () {
              yield* store.add(batchOf(9, 7, "gone"))
              yield* store.open(folder, identityOf(similarity))
              const { identity, passages, vectors } = yield* store.contents
              assert.deepEqual({ identity, passages, vectors }, saved.contents)
              assert.deepEqual(yield* store.search({ vectors: queries, k: 6 }), saved.results)
              yield* store.add(batchOf(70, 6, "more"))
              assert.equal((yield* store.search({ vectors: queries, k: 200 }))[0]?.length, 134)
              yield* store.snapshot(folder)
              yield* store.open(folder)
              assert.equal((yield* store.metadata).count, 134)
            }),
          )
        }))

    it("saves and opens an empty store", () =>
      withFolder((folder) =>
        withStore("dot", (store) =>
          Effect.gen(function* () {
            yield* store.snapshot(folder)
            yield* store.open(folder)
            assert.equal((yield* store.metadata).count, 0)
            yield* store.add(batchOf(3))
          }),
        ),
      ))

    it("refuses a folder of another encoder, similarity or dimension, and keeps what it holds", () =>
      withFolder((folder) =>
        withStore("dot", (store) =>
          Effect.gen(function* () {
            yield* store.add(batchOf(3))
            yield* store.snapshot(folder)
            yield* store.add(batchOf(2, 2, "q"))
            for (const [expected, field] of [
              [{ fingerprint: "encoder-2" }, /fingerprint.*encoder-1.*encoder-2/],
              [{ similarity: "cosine" }, /similarity.*dot.*cosine/],
              [{ dimension: 9 }, /dimension.*8.*9/],
            ] as const)
              yield* assertFails(store.open(folder, expected), "StoreMismatch", field)
            assert.equal((yield* store.metadata).count, 5)
          }),
        ),
      ))

    it("says so where there is no store to open", () =>
      withFolder((folder) =>
        withStore("dot", (store) =>
          Effect.asVoid(assertFails(store.open(folder), "StoreAccess", /manifest\.json cannot be read/)),
        ),
      ))
  })
}
