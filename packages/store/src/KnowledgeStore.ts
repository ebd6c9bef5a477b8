import type { Passage } from "@tandem/datasets"
import { Context, type Effect, type Stream } from "effect"
import type { StoreContents, StoreFolder, StoreIdentity } from "./StoreContents.ts"
import type { AddError, OpenError, PassageNotFoundError, SearchError, StoreAccessError } from "./StoreError.ts"

/** Identity and size of a store. */
export type StoreMetadata = StoreIdentity & { readonly count: number }

/** Passages with their vectors, and the encoder that made them. */
export type PassageBatch = {
  readonly passages: readonly Passage[]
  /** `[passages.length, dimension]` f32, row-major. Copied, so the caller may use the array again. */
  readonly vectors: Float32Array
  readonly fingerprint: string
}

export type SearchRequest = {
  /** `[queries, dimension]` f32, row-major. */
  readonly vectors: Float32Array
  /** Results wanted for each query; fewer come back where the store holds fewer. */
  readonly k: number
  /** The encoder of the queries. Left out, it is not checked: for a search of an index that is known to be stale. */
  readonly fingerprint?: string
}

/** One result; `score` is "higher is better" for every similarity, see `Similarity`. */
export type Hit = { readonly passage: Passage; readonly score: number }

/**
 * Passages that can be found by their vectors.
 *
 * Every operation is all or nothing: input is checked before anything changes, and a search sees the store as it was
 * at one moment, never half of an `add` or a mix of two indexes. Hits carry their passages, so that a swap between a
 * search and a look-up cannot separate them.
 */
export class KnowledgeStore extends Context.Service<
  KnowledgeStore,
  {
    /** Dimension, similarity, fingerprint and number of passages. */
    readonly metadata: Effect.Effect<StoreMetadata>

    /** Appends passages. A failed add changes nothing. */
    readonly add: (batch: PassageBatch) => Effect.Effect<void, AddError>

    /** Passages by id, in the order asked for. */
    readonly get: (ids: readonly string[]) => Effect.Effect<readonly Passage[], PassageNotFoundError>

    /** For each query its k best passages, best first; equal scores in insertion order. */
    readonly search: (request: SearchRequest) => Effect.Effect<readonly (readonly Hit[])[], SearchError>

    /** All passages in insertion order, as they are when the stream starts. */
    readonly scan: Stream.Stream<Passage>

    /** Everything in the store as it is now, without a copy. Read only. */
    readonly contents: Effect.Effect<StoreContents>

    /**
     * Swaps the whole index, identity included, for another: a search that starts before the swap sees the old index,
     * one that starts after it the new. Fails without a change where the contents are invalid.
     */
    readonly replace: (contents: StoreContents) => Effect.Effect<void, AddError>

    /** Writes the store as it is now; see `StoreFolder`. */
    readonly snapshot: (folder: StoreFolder) => Effect.Effect<void, StoreAccessError>

    /**
     * Swaps the whole index for a stored one, after comparing it with what is `expected` (what is left out is not
     * compared).
     */
    readonly open: (folder: StoreFolder, expected?: Partial<StoreIdentity>) => Effect.Effect<void, OpenError>
  }
>()("@tandem/store/KnowledgeStore") {}

export type KnowledgeStoreShape = KnowledgeStore["Service"]
