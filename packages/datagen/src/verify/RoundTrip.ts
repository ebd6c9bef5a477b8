import type { Chunk } from "@tandem/documents"
import { Bm25 } from "@tandem/store"
import { Effect } from "effect"
import type { Conversation } from "../Item.ts"
import type { Finding } from "./Finding.ts"

/** The ids of the `k` chunks that are best for a question, best first. */
export type FindChunks<E> = (question: string, k: number) => Effect.Effect<readonly string[], E>

/** {@link FindChunks} among these chunks by BM25. */
export const findByBm25 = (chunks: Iterable<Chunk>): FindChunks<never> => {
  const index = Bm25.make(chunks)
  return (question, k) => Effect.sync(() => index.search(question, k).map(({ id }) => id))
}

/**
 * Finds conversations whose first question does not bring its chunk, or one of its chunks, back from a store: it speaks of
 * "this text" or asks for what many say. A conversation whose retrieval failed is passed over.
 */
export const roundTrip =
  <E>(find: FindChunks<E>, { k = 10 }: { readonly k?: number } = {}) =>
  ({ item, turns }: Conversation): Effect.Effect<readonly Finding[], E> => {
    const at = turns.findIndex(({ role }) => role === "user")
    if (item.failed || at < 0) return Effect.succeed([])
    const truth = (item.multi ?? [item.chunk]).map(({ id }) => id)
    return Effect.map(find(turns[at]!.text, k), (ids): readonly Finding[] =>
      ids.some((id) => truth.includes(id))
        ? []
        : [{ check: "not-retrieved", turn: at, detail: `the question does not find its chunk among the first ${k}` }],
    )
  }
