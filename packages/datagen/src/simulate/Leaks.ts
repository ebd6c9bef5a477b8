import type { Chunk } from "@tandem/documents"
import { sharedPart, shinglesOf } from "./Shingles.ts"

/** Why a chunk would give away what another one says. */
export type Leak = "same text" | "near duplicate" | "overlap" | "neighbour" | "answer"

/** From this shared part on two texts say the same. */
const nearDuplicate = 0.15

/** Sets of shingles that are remembered. */
const mostKept = 2048

export interface Leaks {
  /** Whether two chunks say the same, word for word in a good part. */
  readonly alike: (a: Chunk, b: Chunk) => "same text" | "near duplicate" | undefined
  /**
   * Whether a chunk gives away what the true one says: it is nearly the same, overlaps with it, stands next to it, or holds
   * one of the answers.
   */
  readonly leak: (chunk: Chunk, candidate: Chunk, answers: readonly string[]) => Leak | undefined
}

/** What leaks. Shingles of the chunks that were asked about last are remembered. */
export const makeLeaks = (): Leaks => {
  const known = new Map<string, ReadonlySet<number>>()
  const shingles = ({ id, text }: Chunk): ReadonlySet<number> => {
    const found = known.get(id)
    if (found !== undefined) return found
    if (known.size >= mostKept) known.clear()
    const made = shinglesOf(text)
    known.set(id, made)
    return made
  }
  const alike: Leaks["alike"] = (a, b) => {
    if (a.id === b.id || a.text === b.text) return "same text"
    return sharedPart(shingles(a), shingles(b)) >= nearDuplicate ? "near duplicate" : undefined
  }
  return {
    alike,
    leak: (chunk, candidate, answers) => {
      const near = nearness(chunk, candidate)
      if (near !== undefined) return near
      if (answers.some((answer) => holds(candidate.text, answer))) return "answer"
      return alike(chunk, candidate)
    },
  }
}

/** Whether two chunks of one document, or of copies of it, touch. */
const nearness = (a: Chunk, b: Chunk): "overlap" | "neighbour" | undefined => {
  if (a.document !== b.document) return undefined
  if (a.start < b.end && b.start < a.end) return "overlap"
  return Math.abs(a.index - b.index) <= 1 ? "neighbour" : undefined
}

/** Whether a text holds an answer, however both are spaced, written in capitals and punctuated. */
export const holds = (text: string, answer: string): boolean => {
  const plain = plainText(answer)
  return plain === "" ? answer !== "" && text.includes(answer) : plainText(text).includes(plain)
}

const plainText = (text: string): string =>
  text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, " ")
    .trim()
