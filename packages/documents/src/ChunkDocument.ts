import { contentHash } from "@tandem/datasets"
import type { Chunk } from "./Chunk.ts"
import type { Document, Heading } from "./Document.ts"
import { InvalidChunkingError } from "./Errors.ts"
import { bounds, middleOf, type Piece, piecesOf } from "./internal/Pieces.ts"
import { type CountTokens, estimateBy } from "./TokenCounter.ts"

export interface ChunkOptions {
  /** Most tokens of a chunk, special tokens not counted; at least 16. */
  readonly maxTokens: number
  /** Tokens, at most half of `maxTokens`, by which a chunk repeats the end of the one before, as whole sentences. Default 0. */
  readonly overlap?: number
  readonly countTokens: CountTokens
}

/** Divides documents; what it has counted it remembers from one document to the next. */
export type Chunker = (document: Document) => readonly Chunk[]

/**
 * A chunker by tokens. A chunk ends before a heading once it is half full, else at the end of a paragraph, else of a
 * sentence (Intl.Segmenter), and inside of one only where the sentence is longer than a chunk. A heading stays with what
 * follows it. No chunk has more than `maxTokens`, and every character but the white space at the ends of chunks stands in one.
 *
 * Each word is counted once and each chunk as a whole once, so that dividing costs little more than tokenizing.
 *
 * @throws InvalidChunkingError for options that no chunk can fulfil
 *
 * @example
 * ```ts
 * import { countBy, makeChunker, makeDocument, paragraphsOf } from "@tandem/documents"
 * import { makeTokenizer, trainWordPiece } from "@tandem/models"
 *
 * const text = "Rivers carry snow to the sea.\n\nIslands wait for ships."
 * const tokenizer = makeTokenizer(trainWordPiece([text], { vocabularySize: 90 }))
 * const chunk = makeChunker({ maxTokens: 24, countTokens: countBy(tokenizer) })
 * for (const part of chunk(makeDocument("notes.txt", paragraphsOf(text)))) console.log(part.start, part.text)
 * ```
 */
export const makeChunker = (options: ChunkOptions): Chunker => {
  const { maxTokens, overlap, countTokens } = checked(options)
  const estimate = estimateBy(countTokens)
  return (document) => {
    const { text } = document
    const pieces = piecesOf(text, document.headings, { maxTokens, estimate })
    const ids = chunkIds(document.source)
    const headings = headingsAt(document.headings)
    const chunks: Chunk[] = []
    const textOf = (from: number, to: number): string => text.slice(pieces[from]!.start, pieces[to - 1]!.end)

    /** A chunk from a piece on that goes beyond `done`: as chosen, or shorter where the whole has more tokens than its words. */
    const fitting = (from: number, done: number): { readonly from: number; readonly to: number } => {
      let to = chooseEnd(pieces, from, maxTokens)
      while (to > done) {
        const excess = countTokens(textOf(from, to)) - maxTokens
        if (excess <= 0 || (to - from === 1 && !divide(text, pieces, from))) return { from, to }
        for (let freed = 0; freed < excess && to - from > 1; ) freed += pieces[--to]!.tokens
      }
      return fitting(done, done)
    }

    let done = 0
    let next = 0
    while (done < pieces.length) {
      const { from, to } = fitting(next, done)
      const chunk = textOf(from, to)
      const heading = headings(pieces[done]!.start)
      chunks.push({
        id: ids(chunk),
        source: document.source,
        document: document.hash,
        index: chunks.length,
        text: chunk,
        ...(document.title === undefined ? {} : { title: document.title }),
        ...(heading === undefined ? {} : { heading }),
        start: pieces[from]!.start,
        end: pieces[to - 1]!.end,
      })
      done = to
      next = overlapStart(pieces, from, to, overlap)
    }
    return chunks
  }
}

/** The chunks of one document; {@link makeChunker} is for several. */
export const chunkDocument = (document: Document, options: ChunkOptions): readonly Chunk[] =>
  makeChunker(options)(document)

const smallest = 16

const checked = ({ maxTokens, overlap = 0, countTokens }: ChunkOptions): Required<ChunkOptions> => {
  if (!Number.isSafeInteger(maxTokens) || maxTokens < smallest) {
    throw new InvalidChunkingError({
      message: "a chunk of this size does not hold every character",
      field: "maxTokens",
      expected: `a whole number of tokens, ${smallest} or more`,
      found: `${maxTokens}`,
    })
  }
  if (!Number.isSafeInteger(overlap) || overlap < 0 || overlap > maxTokens / 2) {
    throw new InvalidChunkingError({
      message: "chunks cannot overlap by so much",
      field: "overlap",
      expected: `a whole number of tokens from 0 to ${Math.floor(maxTokens / 2)}, half of \`maxTokens\``,
      found: `${overlap}`,
    })
  }
  return { maxTokens, overlap, countTokens }
}

/** The piece before which a chunk from a piece on ends, by estimated tokens. */
const chooseEnd = (pieces: readonly Piece[], from: number, maxTokens: number): number => {
  let end = from
  let sum = 0
  let paragraph: number | undefined
  let sentence: number | undefined
  while (end < pieces.length && (end === from || sum + pieces[end]!.tokens <= maxTokens)) {
    const { bound, tokens } = pieces[end]!
    if (end > from && bound === bounds.heading && sum >= maxTokens / 2) return beforeHeadings(pieces, from, end)
    if (end > from && bound >= bounds.paragraph && sum >= maxTokens / 4) paragraph = end
    if (end > from && bound >= bounds.sentence && sum >= maxTokens / 2) sentence = end
    sum += tokens
    end++
  }
  if (end === pieces.length) return end
  const { bound } = pieces[end]!
  if (bound >= bounds.paragraph) return beforeHeadings(pieces, from, end)
  return beforeHeadings(pieces, from, paragraph ?? (bound < bounds.sentence ? sentence : undefined) ?? end)
}

/** Headings at the end of a chunk go to the next one. */
const beforeHeadings = (pieces: readonly Piece[], from: number, end: number): number => {
  let to = end
  while (to - 1 > from && pieces[to - 1]!.bound === bounds.heading) to--
  return to
}

/** Divides a piece in place; false where it is one character. */
const divide = (text: string, pieces: Piece[], at: number): boolean => {
  const { start, end, tokens, bound } = pieces[at]!
  const middle = middleOf(text, start, end)
  if (middle === undefined) return false
  const half = Math.ceil(tokens / 2)
  pieces.splice(
    at,
    1,
    { start, end: middle, tokens: half, bound },
    { start: middle, end, tokens: half, bound: bounds.character },
  )
  return true
}

/** Where the next chunk starts so that it repeats at most `overlap` tokens of whole sentences of the last one. */
const overlapStart = (pieces: readonly Piece[], from: number, to: number, overlap: number): number => {
  if (overlap === 0) return to
  let start = to
  let sum = 0
  for (let at = to - 1; at > from; at--) {
    sum += pieces[at]!.tokens
    if (sum > overlap) break
    if (pieces[at]!.bound >= bounds.sentence) start = at
  }
  return start
}

/** Ids by source and text; a text that stands in a document again gets another one each time. */
const chunkIds = (source: string): ((text: string) => string) => {
  const seen = new Map<string, number>()
  return (text) => {
    const id = contentHash(`${source}\u0000${text}`)
    const before = seen.get(id) ?? 0
    seen.set(id, before + 1)
    return before === 0 ? `c-${id}` : `c-${id}-${before + 1}`
  }
}

/** The heading that is in force at a place; places are asked for in ascending order. */
const headingsAt = (headings: readonly Heading[]): ((place: number) => string | undefined) => {
  let next = 0
  return (place) => {
    while (next < headings.length && headings[next]!.start <= place) next++
    return headings[next - 1]?.text
  }
}
