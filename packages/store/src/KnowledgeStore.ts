import type { Passage } from "@tandem/datasets"
import { Context, type Effect, type Stream } from "effect"
import type { StoreIdentity } from "./StoreContents.ts"
import type { AddError, GetError, SearchError, StoreAccessError } from "./StoreError.ts"

/** Identity and size of a store. */
export type StoreMetadata = StoreIdentity & { readonly count: number }

/** Passages with their vectors, and the encoder that made them. */
export interface PassageBatch {
  readonly passages: readonly Passage[]
  /** `[passages.length, dimension]` f32, row-major. Copied, so the caller may use the array again. */
  readonly vectors: Float32Array
  readonly fingerprint: string
}

export interface SearchRequest {
  /** `[queries, dimension]` f32, row-major. */
  readonly vectors: Float32Array
  /** Results wanted for each query; fewer come back where the store holds fewer. */
  readonly k: number
  /** The encoder of the queries. Left out, it is not checked: for a search of an index that is known to be stale. */
  readonly fingerprint?: string
  /** Whether hits carry their vectors: a trainer feeds them to its graph. */
  readonly withVectors?: boolean
}

/** One result; `score` is "higher is better" for every similarity, see `StoreSimilarity`. */
export interface Hit {
  readonly passage: Passage
  readonly score: number
  /** `[dimension]` f32, the stored numbers exactly, the caller's own copy; there where `withVectors` asked for it. */
  readonly vector?: Float32Array
}

/**
 * Passages that can be found by their vectors: what a database can fulfil as well as a store in memory, which is an
 * `EmbeddedStore` besides.
 *
 * Every operation is all or nothing: input is checked before anything changes (`@tandem/store/StoreChecks` has the
 * checks), and a search sees the store as it was at one moment, never half of an `add` or a mix of two indexes. Hits
 * carry their passages, and their vectors where asked for, so that a swap between a search and a look-up cannot separate
 * them. Every operation can meet I/O, which ends in `StoreAccess` and leaves the store as it was.
 */
export class KnowledgeStore extends Context.Service<
  KnowledgeStore,
  {
    /** Dimension, similarity, fingerprint and number of passages. */
    readonly metadata: Effect.Effect<StoreMetadata, StoreAccessError>

    /** Appends passages. A failed add changes nothing. */
    readonly add: (batch: PassageBatch) => Effect.Effect<void, AddError>

    /** Passages by id, in the order asked for. */
    readonly get: (ids: readonly string[]) => Effect.Effect<readonly Passage[], GetError>

    /** For each query its k best passages, best first; equal scores in insertion order. */
    readonly search: (request: SearchRequest) => Effect.Effect<readonly (readonly Hit[])[], SearchError>

    /** All passages in insertion order, as they are when the stream starts. */
    readonly scan: Stream.Stream<Passage, StoreAccessError>
  }
>()("@tandem/store/KnowledgeStore") {}

export type KnowledgeStoreShape = KnowledgeStore["Service"]
