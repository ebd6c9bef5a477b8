import type { ModelError } from "@tandem/models"
import { type Feed, Runtime } from "@tandem/runtime"
import type { Hit, KnowledgeStoreShape, SearchError } from "@tandem/store"
import { Effect, Exit, Scope } from "effect"
import { makeTextEncoder, type TextEncoder, type TextEncoderOptions } from "./EncodeTexts.ts"
import { type Towers, towerFrom } from "./Towers.ts"

export interface RetrieveOptions extends TextEncoderOptions {
  readonly towers: Towers
  readonly store: KnowledgeStoreShape
  /** Whether hits carry their vectors: where these are inputs of a training step. */
  readonly withVectors?: boolean
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
  const { towers, store, withVectors = false, ...encoding } = options
  const runtime = yield* Runtime
  const scope = yield* Effect.scope
  let made:
    | { readonly weights: Readonly<Record<string, Feed>>; readonly encoder: TextEncoder; readonly own: Scope.Closeable }
    | undefined
  const encoderFor = Effect.fnUntraced(function* (weights: Readonly<Record<string, Feed>>) {
    if (made?.weights === weights) return made.encoder
    if (made !== undefined) yield* Scope.close(made.own, Exit.void)
    made = undefined
    const own = yield* Scope.fork(scope)
    const encoder = yield* makeTextEncoder(towerFrom(towers, "query", weights), encoding).pipe(
      Effect.provideService(Runtime, runtime),
      Effect.provideService(Scope.Scope, own),
    )
    made = { weights, encoder, own }
    return encoder
  })
  return Effect.fnUntraced(function* (weights, queries, k) {
    const encoder = yield* encoderFor(weights)
    return yield* store.search({ vectors: yield* encoder.encode(queries, "query"), k, withVectors })
  })
})
