import type { Chunk } from "@tandem/documents"
import type { Random } from "@tandem/random"
import { Bm25 } from "@tandem/store"
import { bm25Tokens } from "@tandem/store/Bm25"

/** Gives the ids of chunks whose vectors are nearest to a chunk's, itself among them or not. */
export type Neighbours = (chunk: Chunk, k: number) => readonly string[]

/** Chunks that look like another one, most alike first as their finder orders them. */
export type Lookalikes = (chunk: Chunk) => readonly Chunk[]

/** Chunks that each finder gives. */
const found = 12

/** Words of a chunk that it is searched by: its rarest ones that stand elsewhere, too. More cost time and find the same. */
const searchedWords = 16

/** Chunks of the same document, by their distance from one of it. */
export const sameDocument = (chunks: readonly Chunk[]): Lookalikes => {
  const byDocument = Map.groupBy(chunks, ({ source, document }) => `${source}\u0000${document}`)
  return ({ source, document, index, id }) =>
    (byDocument.get(`${source}\u0000${document}`) ?? [])
      .filter((other) => other.id !== id)
      .toSorted((a, b) => Math.abs(a.index - index) - Math.abs(b.index - index))
      .slice(0, found)
}

/** What looks like the true chunk to a retriever: found by its words, in its document and, where there are vectors, by them. */
export const hardCandidates = (chunks: readonly Chunk[], neighbours?: Neighbours): Lookalikes => {
  const byId = new Map(chunks.map((chunk) => [chunk.id, chunk]))
  const index = Bm25.make(
    chunks.map(({ id, text, heading }) => ({ id, text, ...(heading === undefined ? {} : { title: heading }) })),
  )
  const near = sameDocument(chunks)
  const frequency = documentFrequencies(chunks)
  const telling = (chunk: Chunk): string =>
    [...wordsOf(chunk)]
      .map((word) => ({ word, count: frequency.get(word) ?? 0 }))
      .filter(({ count }) => count > 1)
      .toSorted((a, b) => a.count - b.count || (a.word < b.word ? -1 : 1))
      .slice(0, searchedWords)
      .map(({ word }) => word)
      .join(" ")
  return (chunk) => {
    const ids = [
      ...index.search(telling(chunk), found + 1).map(({ id }) => id),
      ...(neighbours?.(chunk, found + 1) ?? []),
      ...near(chunk).map(({ id }) => id),
    ]
    return [...new Set(ids)].flatMap((id) => (id === chunk.id ? [] : (byId.get(id) ?? [])))
  }
}

const wordsOf = ({ heading = "", text }: Chunk): ReadonlySet<string> => new Set(bm25Tokens(`${heading} ${text}`))

/** In how many chunks each word stands. */
const documentFrequencies = (chunks: readonly Chunk[]): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const chunk of chunks) for (const word of wordsOf(chunk)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

/** All members of a list, each once, in a random order that is drawn as far as it is read. */
export function* drawn<A>(members: readonly A[], random: Random): Generator<A> {
  const moved = new Map<number, number>()
  for (let left = members.length; left > 0; left--) {
    const place = random.integer(left)
    const index = moved.get(place) ?? place
    moved.set(place, moved.get(left - 1) ?? left - 1)
    yield members[index]!
  }
}
