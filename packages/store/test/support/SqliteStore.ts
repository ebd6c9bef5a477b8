import { DatabaseSync } from "node:sqlite"
import type { Passage } from "@tandem/datasets"
import {
  type Hit,
  KnowledgeStore,
  type KnowledgeStoreShape,
  PassageNotFoundError,
  StoreAccessError,
  type StoreIdentity,
  type StoreMismatchError,
  type StoreSimilarity,
} from "@tandem/store"
import { checkIdentity, checkRows, checkSearch } from "@tandem/store/StoreChecks"
import { Effect, Layer, Option, type Scope, Semaphore, Stream } from "effect"

const schema = `
  CREATE TABLE IF NOT EXISTS identity (one INTEGER PRIMARY KEY, dimension INTEGER, similarity TEXT, fingerprint TEXT);
  CREATE TABLE IF NOT EXISTS passages (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, passage TEXT NOT NULL, vector BLOB NOT NULL
  );
`

const pageSize = 2

const passageOf = (text: unknown): Passage => JSON.parse(String(text))

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

const floatsOf = (bytes: unknown): Float32Array => {
  if (!(bytes instanceof Uint8Array)) throw new Error("a vector is no blob")
  return new Float32Array(bytes.slice().buffer)
}

const product = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0)

const scores: { readonly [similarity in StoreSimilarity]: (query: Float32Array, vector: Float32Array) => number } = {
  dot: product,
  cosine: (q, p) => product(q, p) / Math.sqrt(product(q, q) * product(p, p)),
  l2: (q, p) => -q.reduce((sum, value, i) => sum + (value - p[i]!) ** 2, 0),
}

/** The identity that the database holds; a new one gets what is given. */
const identityIn = (database: DatabaseSync, { dimension, similarity, fingerprint }: StoreIdentity): StoreIdentity => {
  database.prepare("INSERT OR IGNORE INTO identity VALUES (1, ?, ?, ?)").run(dimension, similarity, fingerprint)
  const row = database.prepare("SELECT * FROM identity").get()
  const known = Object.keys(scores).find((name): name is StoreSimilarity => name === row?.["similarity"])
  if (known === undefined) throw new Error("its similarity is none of this store's")
  return { dimension: Number(row?.["dimension"]), similarity: known, fingerprint: String(row?.["fingerprint"]) }
}

/**
 * A store whose passages and vectors lie in a database's file and nowhere else: the contract of `KnowledgeStore` without
 * that of `EmbeddedStore`. Every operation is a transaction, and whatever the database refuses is `StoreAccess`.
 */
export const openSqliteStore = Effect.fnUntraced(function* (
  file: string,
  identity: StoreIdentity,
  settings = "",
): Effect.fn.Return<KnowledgeStoreShape, StoreAccessError | StoreMismatchError, Scope.Scope> {
  const failed = (cause: unknown): StoreAccessError =>
    new StoreAccessError({
      message: `${file} cannot be used: ${cause instanceof Error ? cause.message : String(cause)}.`,
      file,
    })
  const { similarity, fingerprint } = identity
  const database = yield* Effect.acquireRelease(
    Effect.try({
      try: () => {
        const opened = new DatabaseSync(file)
        opened.exec(schema + settings)
        opened.function("score", { deterministic: true }, (vector, query) =>
          scores[similarity](floatsOf(query), floatsOf(vector)),
        )
        return opened
      },
      catch: failed,
    }),
    (opened) => Effect.sync(() => opened.close()),
  )
  const held = yield* Effect.try({ try: () => identityIn(database, identity), catch: failed })
  const mismatch = checkIdentity(identity, held, file)
  if (mismatch !== undefined) return yield* mismatch
  const connection = Semaphore.makeUnsafe(1)

  /** Runs in a transaction, after other work had a turn, as over a network. What it refuses changes nothing. */
  const transaction = <A, E>(use: () => Effect.Effect<A, E>): Effect.Effect<A, E | StoreAccessError> => {
    const attempt = (sql: string) => Effect.try({ try: () => database.exec(sql), catch: failed })
    const body = Effect.flatten(Effect.try({ try: use, catch: failed }))
    const rollback = Effect.sync(() => (database.isTransaction ? database.exec("ROLLBACK") : undefined))
    return attempt("BEGIN").pipe(
      Effect.andThen(body),
      Effect.tap(() => attempt("COMMIT")),
      Effect.onError(() => rollback),
      (all) => connection.withPermit(Effect.andThen(Effect.yieldNow, Effect.uninterruptible(all))),
    )
  }

  const page = (after: number, last: number) =>
    transaction(() =>
      Effect.succeed(
        database
          .prepare(
            "SELECT position, passage FROM passages WHERE position > ? AND position <= ? ORDER BY position LIMIT ?",
          )
          .all(after, last, pageSize),
      ),
    )

  const count = (): number => Number(database.prepare("SELECT count(*) AS count FROM passages").get()?.["count"])

  return {
    metadata: transaction(() => Effect.succeed({ ...identity, count: count() })),
    add: ({ passages, vectors, fingerprint: given }) =>
      transaction(() => {
        const held = database.prepare("SELECT 1 FROM passages WHERE id = ?")
        const error =
          checkIdentity({ fingerprint }, { fingerprint: given }, "what is added") ??
          checkRows(identity, passages, vectors, (id) => held.get(id) !== undefined)
        if (error !== undefined) return Effect.fail(error)
        const insert = database.prepare("INSERT INTO passages (id, passage, vector) VALUES (?, ?, ?)")
        const { dimension } = identity
        for (const [i, passage] of passages.entries())
          insert.run(passage.id, JSON.stringify(passage), bytesOf(vectors.subarray(i * dimension, (i + 1) * dimension)))
        return Effect.void
      }),
    get: (ids) =>
      transaction(() => {
        const find = database.prepare("SELECT passage FROM passages WHERE id = ?")
        const found: Passage[] = []
        for (const id of ids) {
          const row = find.get(id)
          if (row === undefined)
            return Effect.fail(
              new PassageNotFoundError({ message: `the store holds no passage ${id}`, field: "id", found: id }),
            )
          found.push(passageOf(row["passage"]))
        }
        return Effect.succeed(found)
      }),
    search: (request) =>
      transaction(() => {
        const { vectors, k, withVectors = false } = request
        const error = checkSearch(identity, request)
        if (error !== undefined) return Effect.fail(error)
        const best = database.prepare(
          "SELECT passage, vector, score(vector, ?) AS score FROM passages ORDER BY score DESC, position LIMIT ?",
        )
        const { dimension } = identity
        return Effect.succeed(
          Array.from({ length: vectors.length / dimension }, (_, q): readonly Hit[] =>
            best.all(bytesOf(vectors.subarray(q * dimension, (q + 1) * dimension)), k).map((row) => ({
              passage: passageOf(row["passage"]),
              score: Number(row["score"]),
              ...(withVectors ? { vector: floatsOf(row["vector"]) } : {}),
            })),
          ),
        )
      }),
    scan: Stream.unwrap(
      Effect.map(
        transaction(() => Effect.succeed(count())),
        (last) =>
          Stream.paginate(0, (after) =>
            Effect.map(page(after, last), (rows) => {
              const next = Number(rows.at(-1)?.["position"] ?? last)
              return [
                rows.map((row) => passageOf(row["passage"])),
                next < last ? Option.some(next) : Option.none(),
              ] as const
            }),
          ),
      ),
    ),
  }
})

/** {@link openSqliteStore} as a layer. */
export const sqliteLayer = (
  file: string,
  identity: StoreIdentity,
): Layer.Layer<KnowledgeStore, StoreAccessError | StoreMismatchError> =>
  Layer.effect(KnowledgeStore, openSqliteStore(file, identity))
