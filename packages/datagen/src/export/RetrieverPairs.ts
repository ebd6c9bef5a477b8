import type { Chunk } from "@tandem/documents"
import type { Conversation } from "../Item.ts"

/** A passage of a corpus: a chunk, with its source as its title. */
export interface PairPassage {
  readonly id: string
  readonly title: string
  readonly text: string
}

/** A question with the chunks that answer it and those that were shown and do not, as `tandem dpr train` reads it. */
export interface RetrieverPair {
  readonly id: string
  readonly query: string
  readonly positives: readonly PairPassage[]
  readonly negatives: readonly PairPassage[]
  readonly metadata: { readonly failed: boolean }
}

/**
 * A conversation's first question as an example for a retriever; none where it has no question. Later questions rest on what
 * was said before, so nobody would search for them. Hard negatives are the distractors that were shown.
 */
export const retrieverPair = ({ item, turns }: Conversation): RetrieverPair | undefined => {
  const query = turns.find(({ role }) => role === "user")?.text.trim() ?? ""
  if (query === "") return undefined
  const truth = item.multi ?? [item.chunk]
  const others = item.shown.filter(({ id }) => truth.every((chunk) => chunk.id !== id))
  return {
    id: item.key,
    query,
    positives: truth.map(passageOf),
    negatives: others.map(passageOf),
    metadata: { failed: item.failed },
  }
}

const passageOf = ({ id, source, text }: Chunk): PairPassage => ({ id, title: source, text })
