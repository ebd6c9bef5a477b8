import type { Chunk } from "@tandem/documents"
import type { Random } from "@tandem/random"
import { Bm25 } from "@tandem/store"
import { bm25Tokens } from "@tandem/store/Bm25"
import type { ChunkList } from "../ChunkList.ts"

/** Gives the ids of chunks whose vectors are nearest to a chunk's, itself among them or not. */
export type Neighbours = (chunk: Chunk, k: number) => readonly string[]

/** Chunks that look like another one, most alike first as their finder orders them. */
export type Lookalikes = (chunk: Chunk) => readonly Chunk[]

/** Chunks that each finder gives. */
const found = 12

/** Words of a chunk that it is searched by: its rarest ones that stand elsewhere, too. More cost time and find the same. */
const searchedWords = 16

/** Chunks of the same document, by their distance from one of it. */
export const sameDocument = (chunks: ChunkList): Lookalikes => {
  let known: ReadonlyMap<string, readonly Standing[]> | undefined
  return (chunk) => {
    known ??= standings(chunks)
    const others: Chunk[] = []
    const standing = known.get(documentOf(chunk)) ?? []
    const distance = ({ index }: Standing) => Math.abs(index - chunk.index)
    for (const { place } of standing.toSorted((a, b) => distance(a) - distance(b))) {
      const other = chunks.at(place)
      if (others.length >= found) break
      if (other !== undefined && other.id !== chunk.id) others.push(other)
    }
    return others
  }
}

/** Where a chunk stands: in its list, and in its document. */
interface Standing {
  readonly place: number
  readonly index: number
}

const documentOf = ({ source, document }: Chunk): string => `${source}\u0000${document}`

const standings = (chunks: ChunkList): ReadonlyMap<string, readonly Standing[]> => {
  const known = new Map<string, Standing[]>()
  let place = 0
  for (const chunk of chunks) {
    const document = documentOf(chunk)
    const standing = { place: place++, index: chunk.index }
    const those = known.get(document)
    if (those === undefined) known.set(document, [standing])
    else those.push(standing)
  }
  return known
}

/** What looks like the true chunk to a retriever: found by its words, in its document and, where there are vectors, by them. */
export const hardCandidates = (chunks: ChunkList, neighbours?: Neighbours): Lookalikes => {
  const places = new Map<string, number>()
  let place = 0
  const index = Bm25.make(
    (function* () {
      for (const { id, text, heading } of chunks) {
        places.set(id, place++)
        yield { id, text, ...(heading === undefined ? {} : { title: heading }) }
      }
    })(),
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
    return [...new Set(ids)].flatMap((id) => (id === chunk.id ? [] : (chunks.at(places.get(id) ?? -1) ?? [])))
  }
}

const wordsOf = ({ heading = "", text }: Chunk): ReadonlySet<string> => new Set(bm25Tokens(`${heading} ${text}`))

/** In how many chunks each word stands. */
const documentFrequencies = (chunks: ChunkList): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const chunk of chunks) for (const word of wordsOf(chunk)) counts.set(word, (counts.get(word) ?? 0) + 1)
  return counts
}

/** All members of a list, each once, in a random order that is drawn as far as it is read. */
export function* drawn<A>(
  members: { readonly length: number; readonly at: (place: number) => A | undefined },
  random: Random,
): Generator<A> {
  const moved = new Map<number, number>()
  for (let left = members.length; left > 0; left--) {
    const place = random.integer(left)
    const index = moved.get(place) ?? place
    moved.set(place, moved.get(left - 1) ?? left - 1)
    const member = members.at(index)
    if (member !== undefined) yield member
  }
}
