import type { Passage } from "@tandem/datasets"
import MiniSearch from "minisearch"
import { bigramsOfSpaceless } from "./internal/SpacelessBigrams.ts"
import { TopK } from "./internal/TopK.ts"
import { InvalidRequestError } from "./StoreError.ts"

export interface Bm25Options {
  /** Saturation of term frequency; default 1.2. */
  readonly k?: number
  /** Normalisation by length, 0 to 1; default 0.75. */
  readonly b?: number
  /** Lower bound of a matching term's weight, BM25+'s δ; default 0.5. */
  readonly d?: number
}

/** A lexical index. Immutable. */
export interface Bm25 {
  readonly count: number
  /** The k best passages that share a term with the query, best first; equal scores in the order of the passages. Throws `InvalidRequestError` for a k below 1. */
  readonly search: (query: string, k: number) => readonly { readonly id: string; readonly score: number }[]
}

/**
 * Lower-cased runs of Unicode letters, marks and digits; no stemming, no stop words. Within a run, what is written in a
 * script without spaces (Chinese, Japanese, Thai, …) becomes all pairs of neighbouring characters, as Lucene's analyzer
 * for these languages makes them; a single character stays one.
 */
export const bm25Tokens = (text: string): string[] =>
  (text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).flatMap(bigramsOfSpaceless)

/**
 * The lexical baseline: **BM25+** (Lv and Zhai 2011, which is what MiniSearch implements) over title and text as one
 * field, a query being the disjunction of its terms; no stemming, no prefix and no fuzzy matching. With `d: 0` it is
 * BM25 up to the form of its inverse document frequency.
 *
 * Figures of other programs (Lucene, Pyserini) differ by their stemming and stop words; compare within one program.
 *
 * @example
 * ```ts
 * import { Bm25 } from "@tandem/store"
 *
 * console.log(Bm25.make([{ id: "p", text: "Kitty Hawk" }]).search("kitty", 1)[0]?.id) // p
 * ```
 */
export const make = (passages: Iterable<Passage>, options: Bm25Options = {}): Bm25 => {
  const { k: saturation = 1.2, b = 0.75, d = 0.5 } = options
  const ids: string[] = []
  const index = new MiniSearch<{ readonly id: number; readonly contents: string }>({
    fields: ["contents"],
    tokenize: bm25Tokens,
    processTerm: (term) => term,
    searchOptions: { bm25: { k: saturation, b, d } },
  })
  for (const { id, title, text } of passages) {
    // Numbers as ids: a passage may come twice, and a number says which one was first.
    index.add({ id: ids.length, contents: title === undefined ? text : `${title} ${text}` })
    ids.push(id)
  }
  return {
    count: ids.length,
    search: (query, k) => {
      if (!Number.isInteger(k) || k < 1)
        throw new InvalidRequestError({
          message: `a search for ${k} passages is none`,
          field: "k",
          expected: "a positive integer",
          found: String(k),
        })
      const best = new TopK(Math.min(k, ids.length))
      for (const { id, score } of index.search(query)) best.offer(score, Number(id))
      return best.drain().map((hit) => ({ id: ids[hit.index]!, score: hit.score }))
    },
  }
}
