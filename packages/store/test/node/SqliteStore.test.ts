import assert from "node:assert/strict"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { after, test } from "node:test"
import { type AddError, type GetError, StoreAccessError, type StoreIdentity, StoreMismatchError } from "@tandem/store"
import { knowledgeStoreContract } from "@tandem/store/testing"
import { Effect, Stream } from "effect"
import { openSqliteStore, sqliteLayer } from "../support/SqliteStore.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-sqlite-"))
after(() => rmSync(folder, { recursive: true, force: true }))
let files = 0
const newFile = (): string => join(folder, `${files++}.db`)

knowledgeStoreContract("a database", (identity) => sqliteLayer(newFile(), identity))

const identity: StoreIdentity = { dimension: 2, similarity: "dot", fingerprint: "encoder" }
const batch = (count: number, prefix = "p") => ({
  passages: Array.from({ length: count }, (_, i) => ({ id: `${prefix}${i}`, text: `text ${i}` })),
  vectors: Float32Array.from({ length: 2 * count }, (_, i) => i / 7),
  fingerprint: "encoder",
})

/** Holds the database as another process would while it writes, so that nobody else can read or write. */
const lock = (file: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const other = new DatabaseSync(file)
      other.exec("BEGIN EXCLUSIVE")
      return other
    }),
    (other) => Effect.sync(() => other.close()),
  )

const assertAccess = (error: unknown, file: string, pattern: RegExp): void => {
  assert.ok(error instanceof StoreAccessError, String(error))
  assert.equal(error.file, file)
  assert.match(error.message, pattern)
}

test("what cannot be reached is StoreAccess in every operation, and the store is as it was afterwards", () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const file = newFile()
        const store = yield* openSqliteStore(file, identity)
        yield* store.add(batch(5))
        const request = { vectors: Float32Array.of(1, 1), k: 3, withVectors: true }
        const before = yield* store.search(request)
        const operations: readonly Effect.Effect<unknown, AddError | GetError>[] = [
          store.metadata,
          store.get(["p0"]),
          store.search(request),
          Stream.runCollect(store.scan),
          store.add(batch(3, "q")),
        ]
        for (const operation of operations) {
          const error = yield* Effect.scoped(Effect.andThen(lock(file), Effect.flip(operation)))
          assertAccess(error, file, /locked/)
        }
        assert.deepEqual(yield* store.metadata, { ...identity, count: 5 })
        assert.deepEqual(yield* store.search(request), before)
        yield* store.add(batch(3, "q"))
        assert.equal((yield* store.metadata).count, 8)
      }),
    ),
  ))

test("a scan that loses the database ends in StoreAccess after the passages that it had", () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const file = newFile()
        const store = yield* openSqliteStore(file, identity)
        yield* store.add(batch(7))
        const seen: string[] = []
        const error = yield* store.scan.pipe(
          Stream.tap(({ id }) => Effect.sync(() => seen.push(id))),
          Stream.runForEach(({ id }) => (id === "p3" ? lock(file) : Effect.void)),
          Effect.flip,
        )
        assertAccess(error, file, /locked/)
        assert.deepEqual(seen, ["p0", "p1", "p2", "p3"])
      }),
    ),
  ))

test("an add that runs out of room half-way changes nothing", () =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const file = newFile()
        const store = yield* openSqliteStore(file, identity, "PRAGMA max_page_count = 12;")
        yield* store.add(batch(3))
        const error = yield* Effect.flip(store.add(batch(4000, "q")))
        assertAccess(error, file, /full/)
        assert.deepEqual(
          (yield* Stream.runCollect(store.scan)).map(({ id }) => id),
          ["p0", "p1", "p2"],
        )
        yield* store.add(batch(2, "q"))
        assert.equal((yield* store.metadata).count, 5)
      }),
    ),
  ))

test("what was added is there when the database is opened again; as another store it is refused", () =>
  Effect.runPromise(
    Effect.gen(function* () {
      const file = newFile()
      yield* Effect.scoped(Effect.flatMap(openSqliteStore(file, identity), (store) => store.add(batch(6))))
      const found = yield* Effect.scoped(
        Effect.flatMap(openSqliteStore(file, identity), (store) => store.get(["p5", "p0"])),
      )
      assert.deepEqual(
        found.map(({ id }) => id),
        ["p5", "p0"],
      )
      const other = openSqliteStore(file, { ...identity, fingerprint: "another" })
      const error = yield* Effect.flip(Effect.scoped(other))
      assert.ok(error instanceof StoreMismatchError)
      assert.deepEqual([error.field, error.expected, error.found], ["fingerprint", "another", "encoder"])
    }),
  ))
