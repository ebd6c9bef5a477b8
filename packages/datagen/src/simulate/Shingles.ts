import { fnv1aOfBytes } from "@tandem/random"
import { bm25Tokens } from "@tandem/store/Bm25"

/** Words of a shingle. */
const width = 5

/**
 * A text as the set of its runs of five words, each as a 32-bit hash; a shorter text is one run. Case and punctuation do not
 * count; in scripts without spaces a word is a pair of characters.
 */
export const shinglesOf = (text: string): ReadonlySet<number> => {
  const words = bm25Tokens(text).map(fnv1aOfBytes)
  const shingles = new Set<number>()
  for (let start = 0; start === 0 || start + width <= words.length; start++) {
    let hash = 0x811c9dc5
    for (const word of words.slice(start, start + width)) hash = Math.imul(hash ^ word, 0x01000193) ^ (hash >>> 15)
    shingles.add(hash)
  }
  return shingles
}

/** How much of the shorter text stands in the other, 0 to 1: shared shingles over the smaller set. */
export const sharedPart = (a: ReadonlySet<number>, b: ReadonlySet<number>): number => {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a]
  let shared = 0
  for (const shingle of small) if (large.has(shingle)) shared += 1
  return shared / small.size
}
