import assert from "node:assert/strict"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { describe, it } from "node:test"
import { Effect, type Layer } from "effect"
import { EmbeddedStore, type EmbeddedStoreShape } from "../../EmbeddedStore.ts"
import { nodeFolder } from "../../node/StoreFolder.ts"
import type { StoreFolder, StoreIdentity, StoreSimilarity } from "../../StoreContents.ts"
import { assertFails, batchOf, dimension, identityOf, numbers, passages } from "./ContractSamples.ts"

/** A new embedded store for the given identity; called once a test. */
export type MakeEmbeddedLayer = (identity: StoreIdentity) => Layer.Layer<EmbeddedStore, unknown>

const withFolder = async (use: (folder: StoreFolder) => Promise<void>): Promise<void> => {
  const path = await mkdtemp(join(tmpdir(), "tandem-store-"))
  try {
    await use(nodeFolder(join(path, "store")))
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

/** The contract of `EmbeddedStore` beyond that of `KnowledgeStore`: contents, swaps, folders. */
export const embeddedStoreContract = (name: string, makeLayer: MakeEmbeddedLayer): void => {
  const withStore = <A, E>(
    similarity: StoreSimilarity,
    use: (store: EmbeddedStoreShape) => Effect.Effect<A, E>,
  ): Promise<A> =>
    Effect.runPromise(Effect.provide(Effect.flatMap(EmbeddedStore, use), makeLayer(identityOf(similarity))))

  describe(`EmbeddedStore contract: ${name}`, () => {
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

    it("a view of the contents stays as it was while passages are added", () =>
      withStore("dot", (store) =>
        Effect.gen(function* () {
          const batch = batchOf(3)
          yield* store.add(batch)
          const contents = yield* store.contents
          assert.deepEqual(contents, { identity: identityOf("dot"), passages: batch.passages, vectors: batch.vectors })
          yield* store.add(batchOf(5, 2, "q"))
          assert.equal(contents.passages.length, 3)
          assert.equal(contents.vectors.length, 3 * dimension)
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
