import type { Passage } from "@tandem/datasets"
import type { ModelError } from "@tandem/models"
import type { Runtime } from "@tandem/runtime"
import { type AddError, KnowledgeStore, type SearchError, type StoreIdentity } from "@tandem/store"
import { Context, Effect, Layer, type Scope, Stream } from "effect"
import { checkFinite } from "./EncodeAll.ts"
import { makeTextEncoder, type OnEncodeProgress, type TextEncoder, type TextEncoderOptions } from "./EncodeTexts.ts"
import type { EncoderInput } from "./PassageText.ts"
import { checkStore, type IndexSettings, storeIdentity } from "./StoreIdentity.ts"
import type { Tower } from "./Towers.ts"

/** One result; rank 1 is the best. */
export interface SearchResult {
  readonly passage: Passage
  /** The store's score, higher is better. */
  readonly score: number
  readonly rank: number
}

/** Where an indexing run stands, after each piece that has been added. */
export interface IndexProgress {
  /** Passages added by this run so far. */
  readonly passages: number
  /** Of these, passages that were longer than the maximum length: only their beginning can be found. */
  readonly truncated: number
  readonly tokens: number
}

export interface IndexOptions {
  /** Passages that are encoded and added together. 1024 where absent. */
  readonly chunkSize?: number
}

export interface RetrieverOptions extends IndexSettings, Pick<TextEncoderOptions, "batchSize"> {
  /** The tower that reads queries; the same object as `passage` where one serves both. */
  readonly query: Tower
  /** Longest query in tokens; `maxLength`, which is part of the index's identity, where absent. */
  readonly queryMaxLength?: number | undefined
}

/** What a `Retriever` does. */
export interface RetrieverShape {
  /** What the store must have been made for; its fingerprint is the passage tower's. */
  readonly identity: StoreIdentity

  /** `[queries.length, dimension]` f32, row-major. */
  readonly encodeQueries: (queries: readonly string[]) => Effect.Effect<Float32Array, ModelError>

  /** `[passages.length, dimension]` f32, row-major. */
  readonly encodePassages: (
    passages: readonly EncoderInput[],
    onProgress?: OnEncodeProgress,
  ) => Effect.Effect<Float32Array, ModelError>

  /**
   * Encodes passages and adds them to the store piece by piece, as the stream is drawn; each piece is added whole or
   * not at all.
   */
  readonly index: <E, R>(
    passages: Stream.Stream<Passage, E, R>,
    options?: IndexOptions,
  ) => Stream.Stream<IndexProgress, E | ModelError | AddError, R>

  /** The k best passages of each query, best first. */
  readonly search: (
    queries: readonly string[],
    k: number,
  ) => Effect.Effect<readonly (readonly SearchResult[])[], ModelError | SearchError>
}

/**
 * A retriever over the `KnowledgeStore` and the `Runtime` of the context. Index and search end in the store's
 * `StoreMismatchError` where the store was made for another dimension, similarity or encoder.
 */
export const makeRetriever = Effect.fnUntraced(function* (
  options: RetrieverOptions,
): Effect.fn.Return<RetrieverShape, ModelError, KnowledgeStore | Runtime | Scope.Scope> {
  const store = yield* KnowledgeStore
  const { queryMaxLength = options.maxLength } = options
  const identity = yield* storeIdentity(options)
  const passageEncoder = yield* makeTextEncoder(options.passage, options)
  const queryEncoder: TextEncoder =
    options.query === options.passage && queryMaxLength === options.maxLength
      ? passageEncoder
      : yield* makeTextEncoder(options.query, { ...options, maxLength: queryMaxLength })

  const checked = Effect.flatMap(store.metadata, (found) => checkStore(found, identity))
  const encodeQueries = (queries: readonly string[]) => queryEncoder.encode(queries, "query")
  const encodePassages: RetrieverShape["encodePassages"] = (passages, onProgress) =>
    passageEncoder.encode(passages, "passage", onProgress)

  const add = Effect.fnUntraced(function* (passages: readonly Passage[]) {
    yield* checked
    let counts: IndexProgress = { passages: 0, truncated: 0, tokens: 0 }
    const vectors = yield* encodePassages(passages, (done, _, { truncated, tokens }) => {
      counts = { passages: done, truncated, tokens }
    })
    yield* checkFinite(vectors, passages, "passage")
    yield* store.add({ passages, vectors, fingerprint: identity.fingerprint })
    return counts
  })

  const index: RetrieverShape["index"] = (passages, { chunkSize = 1024 } = {}) =>
    passages.pipe(
      Stream.grouped(chunkSize),
      Stream.mapEffect(add),
      Stream.mapAccum(
        (): IndexProgress => ({ passages: 0, truncated: 0, tokens: 0 }),
        (before, piece) => {
          const now = {
            passages: before.passages + piece.passages,
            truncated: before.truncated + piece.truncated,
            tokens: before.tokens + piece.tokens,
          }
          return [now, [now]] as const
        },
      ),
    )

  const search: RetrieverShape["search"] = Effect.fnUntraced(function* (queries, k) {
    yield* checked
    if (queries.length === 0) return []
    const vectors = yield* encodeQueries(queries)
    const found = yield* store.search({ vectors, k, fingerprint: identity.fingerprint })
    return found.map((hits) => hits.map(({ passage, score }, place) => ({ passage, score, rank: place + 1 })))
  })

  return { identity, encodeQueries, encodePassages, index, search }
})

/**
 * Encodes, indexes and searches with one or two towers over a `KnowledgeStore`.
 *
 * For weights that stay as they are while it lives: the fingerprint is taken once, when the layer is built. A trainer
 * whose weights change encodes with `makeTextEncoder` and swaps the store's contents.
 */
export class Retriever extends Context.Service<Retriever, RetrieverShape>()("@tandem/retriever/Retriever") {
  /** See {@link makeRetriever}. */
  static readonly layer = (options: RetrieverOptions): Layer.Layer<Retriever, ModelError, KnowledgeStore | Runtime> =>
    Layer.effect(Retriever, makeRetriever(options))
}
