import { Effect, type Layer, Semaphore, Stream } from "effect"
import { type EmbeddedStore, type EmbeddedStoreShape, embeddedLayer } from "../EmbeddedStore.ts"
import { exactSearch } from "../internal/ExactSearch.ts"
import { loadExpected } from "../internal/LoadExpected.ts"
import { type UsearchEngine, UsearchIndex, type UsearchOptions, usearchEngine } from "../internal/node/UsearchIndex.ts"
import { Rows, type RowsView, scoreOf, toHits } from "../internal/Rows.ts"
import { inverseNorms } from "../internal/Scores.ts"
import { TopK } from "../internal/TopK.ts"
import type { Hit, KnowledgeStore, SearchRequest } from "../KnowledgeStore.ts"
import { checkDimension, checkSearch } from "../StoreChecks.ts"
import type { LoadedContents, StoreFolder, StoreIdentity } from "../StoreContents.ts"
import type {
  AddError,
  EngineUnavailableError,
  IndexFailureError,
  InvalidRequestError,
  OpenError,
} from "../StoreError.ts"

export type { UsearchOptions }

// Named with the major version of the library, which is that of its file format.
const cacheName = "usearch-2"
const queriesPerBlock = 64

interface State {
  readonly rows: Rows
  index: UsearchIndex | undefined
}

/** The graph finds candidates; their scores are computed from the vectors, as the exact store does. */
const searchBlock = (
  view: RowsView,
  index: UsearchIndex,
  { vectors, k, withVectors = false }: SearchRequest,
): readonly (readonly Hit[])[] => {
  const { dimension, similarity } = view.identity
  const norms = similarity === "cosine" ? inverseNorms(vectors, dimension, 0, vectors.length / dimension) : undefined
  return index.search(vectors, k).map((candidates, q) => {
    const query = Float64Array.from(vectors.subarray(q * dimension, (q + 1) * dimension))
    const best = new TopK(k)
    for (const row of candidates) best.offer(scoreOf(view, query, norms?.[q] ?? 1, row), row)
    return toHits(view, best.drain(), withVectors)
  })
}

const over = (initial: State, engine: UsearchEngine): EmbeddedStoreShape => {
  let current = initial
  // The native index has one owner at a time; adding is cut into pieces, so a search must wait for the last of them.
  const owner = Semaphore.makeUnsafe(1)
  // A snapshot must not see an add; searches may go on meanwhile.
  const writers = Semaphore.makeUnsafe(1)

  const ensureIndex = Effect.fnUntraced(function* (state: State): Effect.fn.Return<UsearchIndex, IndexFailureError> {
    if (state.index !== undefined) return state.index
    const built = yield* buildIndex(state.rows, engine)
    state.index = built
    return built
  })

  const add: EmbeddedStoreShape["add"] = Effect.fnUntraced(
    function* (batch) {
      const { rows } = current
      const error = rows.check(batch)
      if (error !== undefined) return yield* error
      const index = yield* ensureIndex(current)
      // Until the rows are appended nobody sees the vectors; an index that failed half-way is built again when needed.
      const state = current
      yield* Effect.tapError(index.add(rows.count, batch.vectors), () =>
        Effect.sync(() => {
          state.index = undefined
        }),
      )
      rows.append(batch.passages, batch.vectors)
    },
    (effect) => Effect.uninterruptible(effect),
    (effect) => owner.withPermit(effect),
    (effect) => writers.withPermit(effect),
  )

  const search: EmbeddedStoreShape["search"] = Effect.fnUntraced(
    function* (request) {
      const { vectors, k, withVectors = false } = request
      const view = current.rows.view()
      const error = checkSearch(view.identity, request)
      if (error !== undefined) return yield* error
      const { dimension } = view.identity
      const total = vectors.length / dimension
      const wanted = Math.min(k, view.count)
      if (wanted === 0) return Array.from({ length: total }, () => [])
      const index = yield* ensureIndex(current)
      const hits: (readonly Hit[])[] = []
      for (let start = 0; start < total; start += queriesPerBlock) {
        if (start > 0) yield* Effect.yieldNow
        const block = vectors.subarray(start * dimension, (start + queriesPerBlock) * dimension)
        const found = yield* index.attempt(() => searchBlock(view, index, { vectors: block, k: wanted, withVectors }))
        for (const [q, list] of found.entries()) {
          // A graph of many equal vectors can leave some unreachable; who asks for k of them still gets k.
          if (list.length === wanted) hits.push(list)
          else {
            const query = block.subarray(q * dimension, (q + 1) * dimension)
            hits.push(...(yield* exactSearch(view, { vectors: query, k: wanted, withVectors })))
          }
        }
      }
      return hits
    },
    (effect) => owner.withPermit(effect),
  )

  const swap = (next: State) =>
    owner.withPermit(
      Effect.sync(() => {
        current = next
      }),
    )

  return {
    metadata: Effect.sync(() => ({ ...current.rows.identity, count: current.rows.count })),
    add,
    get: (ids) => Effect.suspend(() => current.rows.get(ids)),
    search,
    scan: Stream.suspend(() => Stream.fromIterable(current.rows.scan())),
    contents: Effect.sync(() => current.rows.contents()),
    replace: (contents) => Effect.flatMap(stateOf({ contents, caches: new Map() }, engine), swap),
    snapshot: (folder) =>
      writers.withPermit(
        Effect.suspend(() => {
          const { rows, index } = current
          const caches = index === undefined ? [] : [{ name: cacheName, write: (path: string) => index.save(path) }]
          return folder.save(rows.contents(), caches)
        }),
      ),
    open: (folder, expected = {}) =>
      loadExpected(folder, expected).pipe(
        Effect.flatMap((loaded) => stateOf(loaded, engine)),
        Effect.flatMap(swap),
      ),
  }
}

const buildIndex = (rows: Rows, engine: UsearchEngine): Effect.Effect<UsearchIndex, IndexFailureError> =>
  Effect.flatMap(UsearchIndex.empty(rows.identity, engine), (index) =>
    Effect.as(index.add(0, rows.view().vectors), index),
  )

const stateOf = Effect.fnUntraced(function* (
  { contents, caches }: LoadedContents,
  engine: UsearchEngine,
): Effect.fn.Return<State, AddError> {
  const rows = yield* Rows.from(contents)
  const path = caches.get(cacheName)
  const cached = path === undefined ? undefined : UsearchIndex.load(path, rows.identity, rows.count, engine)
  return { rows, index: cached ?? (yield* buildIndex(rows, engine)) }
})

/** An empty store; see {@link layer}. */
export const make = Effect.fnUntraced(function* (
  identity: StoreIdentity,
  options: UsearchOptions = {},
): Effect.fn.Return<EmbeddedStoreShape, InvalidRequestError | EngineUnavailableError> {
  const error = checkDimension(identity.dimension)
  if (error !== undefined) return yield* error
  return over({ rows: new Rows(identity), index: undefined }, yield* usearchEngine(options))
})

/** A store with the contents of a folder; see {@link layerFolder}. */
export const open = Effect.fnUntraced(function* (
  folder: StoreFolder,
  expected: Partial<StoreIdentity> = {},
  options: UsearchOptions = {},
): Effect.fn.Return<EmbeddedStoreShape, OpenError | EngineUnavailableError> {
  const engine = yield* usearchEngine(options)
  return over(yield* stateOf(yield* loadExpected(folder, expected), engine), engine)
})

/**
 * A `KnowledgeStore` over usearch's HNSW graph: approximate, for corpora that are too large for the exact store. It
 * finds nearly the same passages (measure it on your own), with scores that are the exact store's to the last bit,
 * because vectors are kept beside the graph and candidates are scored again.
 *
 * The library is synchronous and native: adding and searching are cut into pieces between which other fibers run, and
 * never overlap. Both use one thread, because vectors that two threads add to a small graph can become unreachable.
 * The index is saved as a cache: a folder that an exact store wrote opens too, and the graph is built.
 * The library is a package of its own, `npm install usearch`: where it is missing, or has no binary for the platform, the
 * layer ends in `EngineUnavailable`.
 */
export const layer = (
  identity: StoreIdentity,
  options: UsearchOptions = {},
): Layer.Layer<KnowledgeStore | EmbeddedStore, InvalidRequestError | EngineUnavailableError> =>
  embeddedLayer(make(identity, options))

/** {@link layer} with the contents of a folder, whose identity is compared with what is `expected`. */
export const layerFolder = (
  folder: StoreFolder,
  expected: Partial<StoreIdentity> = {},
  options: UsearchOptions = {},
): Layer.Layer<KnowledgeStore | EmbeddedStore, OpenError | EngineUnavailableError> =>
  embeddedLayer(open(folder, expected, options))
