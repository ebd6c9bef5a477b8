import { shinglesOf } from "@tandem/datagen/simulate/Shingles"
import type { Chunk } from "@tandem/documents"

/** From this share of its shingles on, a chunk says what another one does. */
const nearlySame = 0.5
/** Shingles that more chunks have are of headers and footers. */
const mostHolders = 32

/**
 * The chunks without those that repeat one before them, word for word in a good part: copies of a document, and pages of
 * which one is another version of the next. As a question's passage, a copy makes the right answer wrong.
 */
export const differentChunks = (chunks: readonly Chunk[]): readonly Chunk[] => {
  const holders = new Map<number, number[]>()
  return chunks.filter(({ text }, place) => {
    const shingles = shinglesOf(text)
    const shared = new Map<number, number>()
    for (const shingle of shingles)
      for (const other of holders.get(shingle) ?? []) shared.set(other, (shared.get(other) ?? 0) + 1)
    if (Math.max(0, ...shared.values()) >= nearlySame * shingles.size) return false
    for (const shingle of shingles) {
      const known = holders.get(shingle)
      if (known === undefined) holders.set(shingle, [place])
      else if (known.length < mostHolders) known.push(place)
    }
    return true
  })
}
