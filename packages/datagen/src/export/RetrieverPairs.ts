import type { Chunk } from "@tandem/documents"
import type { Conversation } from "../Item.ts"
import { holds, makeLeaks } from "../simulate/Leaks.ts"
import { tellTales } from "../verify/TellTales.ts"

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
 * was said before, so nobody would search for them. Hard negatives are the distractors that were shown, but for those
 * that answer it, too: near duplicates of a true chunk, those that overlap with one, and those that hold what the answers have
 * from it.
 */
export const retrieverPair = (conversation: Conversation): RetrieverPair | undefined => {
  const { item, turns } = conversation
  const query = turns.find(({ role }) => role === "user")?.text.trim() ?? ""
  if (query === "") return undefined
  const truth = item.multi ?? [item.chunk]
  const { leak } = makeLeaks()
  const answers = tellTales(conversation)
  const isAnswer = (other: Chunk): boolean =>
    answers.some((answer) => holds(other.text, answer)) ||
    truth.some((chunk) => chunk.id === other.id || !["neighbour", undefined].includes(leak(chunk, other, [])))
  const others = item.shown.filter((other) => !isAnswer(other))
  return {
    id: item.key,
    query,
    positives: truth.map(passageOf),
    negatives: others.map(passageOf),
    metadata: { failed: item.failed },
  }
}

const passageOf = ({ id, source, text }: Chunk): PairPassage => ({ id, title: source, text })
