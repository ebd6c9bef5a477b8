import type { ModelError } from "@tandem/models"
import { type Feed, Runtime } from "@tandem/runtime"
import type { Hit, KnowledgeStoreShape, SearchError } from "@tandem/store"
import { Effect, Exit, Scope } from "effect"
import { makeTextEncoder, type TextEncoder, type TextEncoderOptions } from "./EncodeTexts.ts"
import { type Side, type Towers, towerFrom } from "./Towers.ts"

export interface RetrieveOptions extends TextEncoderOptions {
  readonly towers: Towers
  readonly store: KnowledgeStoreShape
  /** Whether hits carry their vectors: where these are inputs of a training step. */
  readonly withVectors?: boolean
  /**
   * Over an index that is older than its encoder: so many times as many passages are found as are asked for, encoded with the
   * weights of the moment, and the best of them by their new scores are taken. Found once where absent. Hits then carry the
   * new vectors.
   */
  readonly overRetrieve?: number
  /** How passages are encoded where that happens; the queries' way where absent. */
  readonly passage?: TextEncoderOptions
}

/**
 * For each query its k best passages, best first, found with the weights of the moment: those by joint name as training
 * holds them (`Live.weights`), and the encoder's own for the rest.
 */
export type Retrieve = (
  weights: Readonly<Record<string, Feed>>,
  queries: readonly string[],
  k: number,
) => Effect.Effect<readonly (readonly Hit[])[], ModelError | SearchError>

/**
 * Retrieval inside of training: queries are encoded with weights that change, and an index is searched that may be older
 * than they are. A float that comes out of a search carries no gradient, so a step encodes its queries once more in its own
 * graph.
 *
 * Lives as long as the scope. What it compiles is kept for the buffers that it was first called with, and made anew for
 * others.
 */
export const makeRetrieve = Effect.fnUntraced(function* (
  options: RetrieveOptions,
): Effect.fn.Return<Retrieve, never, Runtime | Scope.Scope> {
  const { towers, store, withVectors = false, overRetrieve = 1, passage, ...encoding } = options
  const runtime = yield* Runtime
  const scope = yield* Effect.scope
  let made: { readonly weights: Readonly<Record<string, Feed>>; readonly encoders: Encoders } | undefined
  const encodersFor = Effect.fnUntraced(function* (weights: Readonly<Record<string, Feed>>) {
    if (made?.weights === weights) return made.encoders
    if (made !== undefined) yield* Scope.close(made.encoders.own, Exit.void)
    made = undefined
    const own = yield* Scope.fork(scope)
    const make = (side: Side, settings: TextEncoderOptions) =>
      makeTextEncoder(towerFrom(towers, side, weights), settings).pipe(
        Effect.provideService(Runtime, runtime),
        Effect.provideService(Scope.Scope, own),
      )
    const query = yield* make("query", encoding)
    const encoders = { own, query, passage: overRetrieve === 1 ? query : yield* make("passage", passage ?? encoding) }
    made = { weights, encoders }
    return encoders
  })
  return Effect.fnUntraced(function* (weights, queries, k) {
    const encoders = yield* encodersFor(weights)
    const vectors = yield* encoders.query.encode(queries, "query")
    if (overRetrieve === 1) return yield* store.search({ vectors, k, withVectors })
    const hits = yield* store.search({ vectors, k: k * overRetrieve })
    const different = [...new Map(hits.flat().map((hit) => [hit.passage.id, hit.passage])).values()]
    const fresh = yield* encoders.passage.encode(different, "passage")
    const width = encoders.passage.dimension
    const rows = new Map(different.map(({ id }, row) => [id, fresh.subarray(row * width, (row + 1) * width)]))
    return hits.map((found, row) => {
      const query = vectors.subarray(row * width, (row + 1) * width)
      return found
        .map(({ passage: each }): Hit => {
          const vector = rows.get(each.id)!
          return { passage: each, score: dot(query, vector), ...(withVectors ? { vector: vector.slice() } : {}) }
        })
        .sort((a, b) => b.score - a.score)
        .slice(0, k)
    })
  })
})

interface Encoders {
  readonly own: Scope.Closeable
  readonly query: TextEncoder
  readonly passage: TextEncoder
}

const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, value, index) => sum + value * b[index]!, 0)
