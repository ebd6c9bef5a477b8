import type { Passage } from "@tandem/datasets"
import type { ModelError } from "@tandem/models"
import type { RunFailed, Runtime } from "@tandem/runtime"
import { type InvalidVectorError, type StoreContents, type StoreIdentity, StoreMismatchError } from "@tandem/store"
import { Effect } from "effect"
import { type EncodeAllOptions, encodeAll } from "./EncodeAll.ts"
import { type IndexSettings, storeIdentity } from "./StoreIdentity.ts"

export interface EncodeCorpusOptions extends IndexSettings, Pick<EncodeAllOptions, "batchSize" | "onProgress"> {}

/**
 * An index of these passages as one whole, with the weights of the moment and the identity that a `Retriever` of the same
 * settings asks for. `replace` of an embedded store takes it; an index that does not fit into memory is made by
 * `Retriever.index`.
 *
 * A passage whose embedding is not finite ends in `InvalidVector`, which names it.
 */
export const encodeCorpus = Effect.fnUntraced(function* (
  options: EncodeCorpusOptions,
  passages: readonly Passage[],
): Effect.fn.Return<StoreContents, ModelError | InvalidVectorError, Runtime> {
  const { passage, ...settings } = options
  const identity = yield* storeIdentity(options)
  const { vectors } = yield* encodeAll(passage, passages, { ...settings, kind: "passage" })
  return { identity, passages, vectors }
})

/** An index that is open, and what it was made for. */
export interface OpenIndex<Store> {
  readonly store: Store
  readonly identity: StoreIdentity
}

/**
 * Opens the index of these settings by a store's own way to open:
 * `openIndex(settings, (expected) => Exact.open(folder, expected))`. One of another encoder, other settings or another
 * similarity, or of a version that wrote another identity, ends in `StoreMismatch` with the hint to index again.
 */
export const openIndex = Effect.fnUntraced(function* <Store, E, R>(
  settings: IndexSettings,
  open: (expected: StoreIdentity) => Effect.Effect<Store, E, R>,
): Effect.fn.Return<OpenIndex<Store>, E | StoreMismatchError | RunFailed, R | Runtime> {
  const identity = yield* storeIdentity(settings)
  const store = yield* Effect.mapError(open(identity), (error) =>
    error instanceof StoreMismatchError ? indexAgain(error) : error,
  )
  return { store, identity }
})

const indexAgain = ({ message, field, expected, found }: StoreMismatchError): StoreMismatchError =>
  new StoreMismatchError({
    message,
    field,
    expected,
    found,
    hint: "the index was made by another encoder, with other settings or by an earlier version: index the corpus again",
  })
