import { isSpaceless } from "@tandem/datasets"
import type { Heading } from "../Document.ts"
import type { CountTokens } from "../TokenCounter.ts"
import { unwrapLines } from "../Unwrap.ts"

/** What stands before a piece; a chunk rather ends at a higher one. */
export const bounds = { character: 0, word: 1, sentence: 2, paragraph: 3, heading: 4 } as const

export type Bound = (typeof bounds)[keyof typeof bounds]

/** A part of a text that is not divided further: a sentence, or part of one that is longer than a chunk. */
export interface Piece {
  readonly start: number
  readonly end: number
  /** Estimated. */
  readonly tokens: number
  readonly bound: Bound
}

export interface PieceOptions {
  readonly maxTokens: number
  readonly estimate: CountTokens
}

/**
 * A text as pieces of at most `maxTokens` each, in order: all its characters but the white space between them. Sentences
 * that are longer come as words, words that are longer as runs of whole characters.
 */
export const piecesOf = (text: string, headings: readonly Heading[], options: PieceOptions): Piece[] => {
  const starts = new Set(headings.map(({ start }) => start))
  const pieces: Piece[] = []
  for (const { start, end } of paragraphs(text)) {
    const first = starts.has(start) ? bounds.heading : bounds.paragraph
    for (const sentence of sentences(text, start, end)) {
      const bound = sentence.start === start ? first : bounds.sentence
      const tokens = options.estimate(text.slice(sentence.start, sentence.end))
      if (tokens <= options.maxTokens) pieces.push({ ...sentence, tokens, bound })
      else for (const word of words(text, sentence, bound)) append(pieces, dividePiece(text, word, options))
    }
  }
  return pieces
}

/** A span as pieces of at most `maxTokens` each, cut in halves between whole characters where it has more. */
export const dividePiece = (
  text: string,
  { start, end, bound }: Omit<Piece, "tokens">,
  options: PieceOptions,
): readonly Piece[] => {
  const tokens = options.estimate(text.slice(start, end))
  const middle = tokens <= options.maxTokens ? undefined : middleOf(text, start, end)
  if (middle === undefined) return [{ start, end, tokens, bound }]
  return [
    ...dividePiece(text, { start, end: middle, bound }, options),
    ...dividePiece(text, { start: middle, end, bound: bounds.character }, options),
  ]
}

/** A place inside a span, near its middle, where no character is cut; undefined where it is one code point. */
export const middleOf = (text: string, start: number, end: number): number | undefined => {
  const half = start + Math.floor((end - start) / 2)
  const from = Math.max(start, half - 100)
  const around = text.slice(from, Math.min(end, half + 100))
  let best: number | undefined
  for (const { index } of clusters.segment(around)) {
    const at = from + index
    if (at > start && at !== from && (best === undefined || Math.abs(at - half) < Math.abs(best - half))) best = at
  }
  if (best !== undefined) return best
  const point = isTrail(text, half) ? (half - 1 > start ? half - 1 : half + 1) : half
  return point > start && point < end ? point : undefined
}

interface Span {
  readonly start: number
  readonly end: number
}

function* paragraphs(text: string): Generator<Span> {
  let start = 0
  for (const gap of text.matchAll(/\n[^\S\n]*\n\s*/g)) {
    yield* trimmed(text, start, gap.index)
    start = gap.index + gap[0].length
  }
  yield* trimmed(text, start, text.length)
}

/** The sentences of a paragraph. A line's end inside a sentence that goes on is none of a sentence. */
function* sentences(text: string, start: number, end: number): Generator<Span> {
  const paragraph = unwrapLines(text.slice(start, end))
  for (const { index, segment } of sentenceSegmenter.segment(paragraph)) {
    yield* trimmed(text, start + index, start + index + segment.length)
  }
}

function* words(text: string, { start, end }: Span, bound: Bound): Generator<Omit<Piece, "tokens">> {
  for (const { 0: word, index } of text.slice(start, end).matchAll(/\S+/g)) {
    const at = start + index
    const first = at === start ? bound : bounds.word
    if (word.length <= 24 || !isSpaceless(word)) yield { start: at, end: at + word.length, bound: first }
    else
      for (const part of wordSegmenter.segment(word)) {
        const from = at + part.index
        yield { start: from, end: from + part.segment.length, bound: part.index === 0 ? first : bounds.word }
      }
  }
}

function* trimmed(text: string, start: number, end: number): Generator<Span> {
  let [from, to] = [start, end]
  while (from < to && isSpace(text, from)) from++
  while (to > from && isSpace(text, to - 1)) to--
  if (to > from) yield { start: from, end: to }
}

const isSpace = (text: string, at: number): boolean => {
  const unit = text.charCodeAt(at)
  return unit === 32 || (unit >= 9 && unit <= 13) || (unit > 127 && /\s/.test(text[at]!))
}

const isTrail = (text: string, at: number): boolean => (text.charCodeAt(at) & 0xfc00) === 0xdc00

const append = <A>(list: A[], more: readonly A[]): void => {
  for (const each of more) list.push(each)
}

const sentenceSegmenter = new Intl.Segmenter("und", { granularity: "sentence" })
const wordSegmenter = new Intl.Segmenter("und", { granularity: "word" })
const clusters = new Intl.Segmenter("und", { granularity: "grapheme" })
