import { embeddingSize } from "@tandem/models"
import type { Similarity } from "@tandem/onnx"
import type { RunFailed, Runtime } from "@tandem/runtime"
import { type StoreIdentity, StoreMismatchError } from "@tandem/store"
import { Effect } from "effect"
import { fingerprint } from "./Fingerprint.ts"
import type { RenderOptions } from "./PassageText.ts"
import type { Tower } from "./Towers.ts"

/** What decides which vector a passage gets in an index, and how it is compared. */
export interface IndexSettings extends RenderOptions {
  /** The tower that reads passages. */
  readonly passage: Tower
  /** How the towers were trained to be compared. */
  readonly similarity: Similarity
}

/**
 * The identity of a store for the passages of this tower, to make or open one with. Whoever writes an index and whoever
 * searches it takes it from here.
 */
export const storeIdentity = (settings: IndexSettings): Effect.Effect<StoreIdentity, RunFailed, Runtime> => {
  const { passage, similarity } = settings
  return Effect.map(fingerprint(passage, settings), (found) => ({
    dimension: embeddingSize(passage.encoder.config),
    similarity,
    fingerprint: found,
  }))
}

/** Whether a store was made for this identity; `StoreMismatch` names the first field that differs. */
export const checkStore = (
  store: StoreIdentity,
  identity: StoreIdentity,
  hint = "use the retriever that made the index, or index the corpus again",
): Effect.Effect<void, StoreMismatchError> => {
  for (const field of ["dimension", "similarity", "fingerprint"] as const) {
    const [expected, found] = [String(store[field]), String(identity[field])]
    if (expected !== found) {
      return Effect.fail(
        new StoreMismatchError({
          message: `the ${field} of the retriever is ${found}, that of the store ${expected}`,
          field,
          expected,
          found,
          hint,
        }),
      )
    }
  }
  return Effect.void
}
