import { Effect, Semaphore, Stream } from "effect"
import type { KnowledgeStoreShape, StoreMetadata } from "./KnowledgeStore.ts"
import { StoreAccessError } from "./StoreError.ts"

/** What an error tells about a place and a hint, as those of this package do. */
interface Told {
  readonly message: string
  readonly file?: string | undefined
  readonly field?: string | undefined
  readonly expected?: string | undefined
  readonly found?: string | undefined
  readonly hint?: string | undefined
}

/**
 * A store that is opened by the first operation that needs its passages, once. Where it cannot be opened, the operation ends in
 * `StoreAccess` with what was wrong, and the next one tries again.
 */
export const openLater = (
  metadata: StoreMetadata,
  open: Effect.Effect<KnowledgeStoreShape, Told>,
): Effect.Effect<KnowledgeStoreShape> =>
  Effect.map(Semaphore.make(1), (turn) => {
    let opened: KnowledgeStoreShape | undefined
    const store = turn.withPermit(
      Effect.suspend(() => {
        if (opened !== undefined) return Effect.succeed(opened)
        return Effect.map(Effect.mapError(open, asAccess), (found) => {
          opened = found
          return found
        })
      }),
    )
    return {
      metadata: Effect.suspend(() => opened?.metadata ?? Effect.succeed(metadata)),
      add: (batch) => Effect.flatMap(store, ({ add }) => add(batch)),
      get: (ids) => Effect.flatMap(store, ({ get }) => get(ids)),
      search: (request) => Effect.flatMap(store, ({ search }) => search(request)),
      scan: Stream.unwrap(Effect.map(store, ({ scan }) => scan)),
    }
  })

const asAccess = ({ message, file, field, expected, found, hint }: Told): StoreAccessError =>
  new StoreAccessError({ message, file, field, expected, found, hint })
