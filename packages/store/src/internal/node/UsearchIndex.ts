import { closeSync, openSync, readSync } from "node:fs"
import { Effect } from "effect"
import type * as usearch from "usearch"
import type { StoreIdentity, StoreSimilarity } from "../../StoreContents.ts"
import { EngineUnavailableError, IndexFailureError } from "../../StoreError.ts"

export interface UsearchOptions {
  /** Neighbours of a node of the graph; default 16. */
  readonly connectivity?: number
  /** Candidates kept while a vector is added; default 128. */
  readonly expansionAdd?: number
  /** Candidates kept while searching: more is slower and finds more; default 128. */
  readonly expansionSearch?: number
}

/** The library and the options of one store. */
export interface UsearchEngine {
  readonly library: typeof usearch
  readonly options: UsearchOptions
}

/** Loads the library, which is installed by those who want it. */
export const usearchEngine = (options: UsearchOptions): Effect.Effect<UsearchEngine, EngineUnavailableError> =>
  Effect.tryPromise({
    try: async () => ({ library: await import("usearch"), options }),
    catch: (cause) =>
      new EngineUnavailableError({
        message: `usearch cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
        expected: "the package usearch with a binary for this platform",
        hint: "npm install usearch, or take the exact store, which needs no native module",
      }),
  })

const metrics: { readonly [similarity in StoreSimilarity]: keyof typeof usearch.MetricKind } = {
  dot: "IP",
  cosine: "Cos",
  l2: "L2sq",
}

// Two threads that add to a small graph leave some vectors unreachable for good, and a search with more threads than
// were reserved for adding throws: so one thread, which makes the index reproducible too.
const threads = 1

// One piece blocks the event loop for some ten milliseconds at usual dimensions.
const rowsPerPiece = 64

const failure = (cause: unknown): IndexFailureError =>
  new IndexFailureError({
    message: `usearch failed: ${cause instanceof Error ? cause.message : String(cause)}`,
    hint: "memory ran out, or an option is out of range; nothing in the store has changed",
  })

// The library ends the process on a file that is none of its own, so the two marks that it writes are looked at first:
// rows and bytes a row at the beginning, and its name behind the vectors.
const fits = (path: string, dimension: number, count: number): boolean => {
  const file = openSync(path, "r")
  try {
    const sizes = new Uint32Array(2)
    readSync(file, sizes, 0, 8, 0)
    const magic = new Uint8Array(7)
    readSync(file, magic, 0, 7, 8 + count * dimension * 4)
    return sizes[0] === count && sizes[1] === dimension * 4 && new TextDecoder().decode(magic) === "usearch"
  } finally {
    closeSync(file)
  }
}

/** usearch's index with row numbers as keys. The caller sees to it that calls never overlap. */
export class UsearchIndex {
  readonly #library: typeof usearch
  readonly #index: usearch.Index
  readonly #dimension: number

  private constructor(identity: StoreIdentity, { library, options }: UsearchEngine) {
    const { connectivity = 16, expansionAdd = 128, expansionSearch = 128 } = options
    this.#library = library
    this.#dimension = identity.dimension
    this.#index = new library.Index({
      dimensions: identity.dimension,
      metric: library.MetricKind[metrics[identity.similarity]],
      quantization: library.ScalarKind.F32,
      connectivity,
      expansion_add: expansionAdd,
      expansion_search: expansionSearch,
      multi: false,
    })
  }

  /** An index without rows; fails for options that the library refuses. */
  static empty(identity: StoreIdentity, engine: UsearchEngine): Effect.Effect<UsearchIndex, IndexFailureError> {
    return Effect.try({ try: () => new UsearchIndex(identity, engine), catch: failure })
  }

  /** A saved index; nothing where it does not fit, for it can be built again. */
  static load(path: string, identity: StoreIdentity, count: number, engine: UsearchEngine): UsearchIndex | undefined {
    try {
      if (!fits(path, identity.dimension, count)) return undefined
      const loaded = new UsearchIndex(identity, engine)
      loaded.#index.load(path)
      return loaded.#index.size() === count && loaded.#index.dimensions() === identity.dimension ? loaded : undefined
    } catch {
      return undefined
    }
  }

  attempt<A>(run: () => A): Effect.Effect<A, IndexFailureError> {
    return Effect.try({ try: run, catch: failure })
  }

  /** Adds rows under the keys `first`, `first + 1`, …; lets other fibers run between pieces. */
  add(first: number, vectors: Float32Array): Effect.Effect<void, IndexFailureError> {
    const dimension = this.#dimension
    const index = this.#index
    const attempt = this.attempt
    return Effect.gen(function* () {
      const count = vectors.length / dimension
      for (let start = 0; start < count; start += rowsPerPiece) {
        if (start > 0) yield* Effect.yieldNow
        const piece = vectors.subarray(start * dimension, (start + rowsPerPiece) * dimension)
        const keys = BigUint64Array.from({ length: piece.length / dimension }, (_, i) => BigInt(first + start + i))
        yield* attempt(() => index.add(keys, piece, threads))
      }
    })
  }

  /** Row numbers near each query, at most k; throws what the library throws. */
  search(vectors: Float32Array, k: number): readonly (readonly number[])[] {
    const result = this.#index.search(vectors, k, threads)
    const numbers = (matches: usearch.Matches): readonly number[] => Array.from(matches.keys, Number)
    // For several queries the library returns another class, whatever its types say.
    if (!(result instanceof this.#library.BatchMatches)) return [numbers(result)]
    return Array.from({ length: vectors.length / this.#dimension }, (_, q) => numbers(result.get(q)))
  }

  save(path: string): void {
    this.#index.save(path)
  }
}
