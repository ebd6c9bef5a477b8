import { Context, Effect, Layer } from "effect"
import { KnowledgeStore, type KnowledgeStoreShape } from "./KnowledgeStore.ts"
import type { StoreContents, StoreFolder, StoreIdentity } from "./StoreContents.ts"
import type { AddError, OpenError, StoreAccessError } from "./StoreError.ts"

/** What a store can do that this process holds as a whole. */
export interface EmbeddedStoreShape extends KnowledgeStoreShape {
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

/**
 * A `KnowledgeStore` that lives in this process: its contents can be had and swapped as one whole, written to a folder and
 * read from one. What needs this asks for it; what only adds and searches asks for a `KnowledgeStore`, which a database is
 * too.
 */
export class EmbeddedStore extends Context.Service<EmbeddedStore, EmbeddedStoreShape>()(
  "@tandem/store/EmbeddedStore",
) {}

/** A layer of an embedded store, under both names. */
export const embeddedLayer = <E, R>(
  make: Effect.Effect<EmbeddedStoreShape, E, R>,
): Layer.Layer<KnowledgeStore | EmbeddedStore, E, R> =>
  Layer.effectContext(
    Effect.map(make, (store) => Context.make(KnowledgeStore, store).pipe(Context.add(EmbeddedStore, store))),
  )
