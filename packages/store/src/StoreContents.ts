import type { Passage } from "@tandem/datasets"
import type { Effect } from "effect"
import type { CorruptStoreError, StoreAccessError } from "./StoreError.ts"

/**
 * How a query and a passage are compared: one of the two ways in which encoders are trained (`Similarity` of
 * `@tandem/onnx`), or by their distance. Scores are always "higher is better":
 * - `dot`: inner product `q · p`
 * - `cosine`: `q · p / (|q| |p|)`, in −1 to 1
 * - `l2`: the **negative squared** Euclidean distance `−|q − p|²`, at most 0
 */
export type StoreSimilarity = "dot" | "cosine" | "l2"

/** What decides whether two sets of vectors may be compared. */
export interface StoreIdentity {
  /** Length of every vector. */
  readonly dimension: number
  readonly similarity: StoreSimilarity
  /** Names the encoder (weights and settings) that made the vectors, as the retriever computes it. */
  readonly fingerprint: string
}

/** Passages and their vectors, as one immutable whole: nobody writes to it any more. */
export interface StoreContents {
  readonly identity: StoreIdentity
  /** In insertion order. */
  readonly passages: readonly Passage[]
  /** `[passages.length, dimension]` f32, row-major; row i belongs to passage i. */
  readonly vectors: Float32Array
}

/** A file that a store writes beside its contents to open faster. It can always be made again from the contents. */
export interface IndexCache {
  readonly name: string
  readonly write: (path: string) => void
}

export interface LoadedContents {
  readonly contents: StoreContents
  /** Paths of the caches that were saved with the contents, by name. */
  readonly caches: ReadonlyMap<string, string>
}

/**
 * A place that holds the contents of one store. `nodeFolder` of `@tandem/store/node/StoreFolder` is a folder on disk;
 * a page can bring its own.
 *
 * `save` replaces the whole atomically: whoever loads sees the old contents or the new, also after a kill. A place
 * that cannot hold caches leaves them out.
 */
export interface StoreFolder {
  readonly location: string
  readonly save: (contents: StoreContents, caches: readonly IndexCache[]) => Effect.Effect<void, StoreAccessError>
  readonly load: Effect.Effect<LoadedContents, CorruptStoreError | StoreAccessError>
}
