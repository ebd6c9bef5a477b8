import { Effect, type Layer, Stream } from "effect"
import { type EmbeddedStore, type EmbeddedStoreShape, embeddedLayer } from "./EmbeddedStore.ts"
import { exactSearch } from "./internal/ExactSearch.ts"
import { loadExpected } from "./internal/LoadExpected.ts"
import { Rows } from "./internal/Rows.ts"
import type { KnowledgeStore } from "./KnowledgeStore.ts"
import { checkDimension, checkSearch } from "./StoreChecks.ts"
import type { StoreFolder, StoreIdentity } from "./StoreContents.ts"
import type { InvalidRequestError, OpenError } from "./StoreError.ts"

const over = (initial: Rows): EmbeddedStoreShape => {
  // An operation reads this reference once, and every change to it is one assignment: that is the atomic swap.
  let current = initial
  const replace: EmbeddedStoreShape["replace"] = (contents) =>
    Effect.map(Rows.from(contents), (rows) => {
      current = rows
    })
  return {
    metadata: Effect.sync(() => ({ ...current.identity, count: current.count })),
    add: (batch) =>
      Effect.suspend(() => {
        const error = current.check(batch)
        if (error !== undefined) return Effect.fail(error)
        current.append(batch.passages, batch.vectors)
        return Effect.void
      }),
    get: (ids) => Effect.suspend(() => current.get(ids)),
    search: (request) =>
      Effect.suspend(() => {
        const view = current.view()
        const error = checkSearch(view.identity, request)
        return error === undefined ? exactSearch(view, request) : Effect.fail(error)
      }),
    scan: Stream.suspend(() => Stream.fromIterable(current.scan())),
    contents: Effect.sync(() => current.contents()),
    replace,
    snapshot: (folder) => Effect.suspend(() => folder.save(current.contents(), [])),
    open: (folder, expected = {}) =>
      Effect.flatMap(loadExpected(folder, expected), ({ contents }) => replace(contents)),
  }
}

/** An empty exact store; see {@link layer}. */
export const make = (identity: StoreIdentity): Effect.Effect<EmbeddedStoreShape, InvalidRequestError> =>
  Effect.suspend(() => {
    const error = checkDimension(identity.dimension)
    return error === undefined ? Effect.succeed(over(new Rows(identity))) : Effect.fail(error)
  })

/** An exact store with the contents of a folder; see {@link layerFolder}. */
export const open = (
  folder: StoreFolder,
  expected: Partial<StoreIdentity> = {},
): Effect.Effect<EmbeddedStoreShape, OpenError> =>
  loadExpected(folder, expected).pipe(
    Effect.flatMap(({ contents }) => Rows.from(contents)),
    Effect.map(over),
  )

/**
 * A `KnowledgeStore` that compares each query with every vector: exact, deterministic, no index to build, portable to
 * every runtime. Time and memory are linear in the corpus (4 bytes a number); right up to some hundred thousand
 * passages.
 *
 * Scores are computed in double precision in one order of summation, so they do not depend on the other queries of a
 * batch; equal scores keep the order of insertion.
 */
export const layer = (identity: StoreIdentity): Layer.Layer<KnowledgeStore | EmbeddedStore, InvalidRequestError> =>
  embeddedLayer(make(identity))

/** {@link layer} with the contents of a folder, whose identity is compared with what is `expected`. */
export const layerFolder = (
  folder: StoreFolder,
  expected: Partial<StoreIdentity> = {},
): Layer.Layer<KnowledgeStore | EmbeddedStore, OpenError> => embeddedLayer(open(folder, expected))
