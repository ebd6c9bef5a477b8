import { Tokenizer as Library } from "@huggingface/tokenizers"
import { InvalidTokenizer } from "../Errors.ts"
import { type CountedWord, mergePairs } from "../internal/Merges.ts"
import type { TokenizerFiles } from "./Tokenizer.ts"
import { specialTokens, wordPieceFiles } from "./WordPieceFiles.ts"

export interface WordPieceOptions {
  /** Largest number of tokens, special tokens included. */
  readonly vocabularySize: number
  /** How often a pair of pieces must occur to become one piece. */
  readonly minFrequency?: number
  readonly lowerCase?: boolean
  /** Written as the longest sequence of the model. */
  readonly maxLength?: number
}

/** Words that are longer become `[UNK]` when texts are encoded, so nothing is learnt from them. */
const longestWord = 100

/**
 * Trains a WordPiece vocabulary on texts, as Hugging Face's `WordPieceTrainer` does: BERT's normalisation and word
 * split, then the most frequent pair of neighbouring pieces becomes a piece, until the vocabulary is full. Every
 * character of the texts is a piece of its own (the most frequent ones where they would take more than half of the
 * vocabulary), at the start of a word and, as `##c`, inside it. The same texts give the same vocabulary, in any order
 * of texts.
 *
 * No text, or a vocabulary too small for the characters, ends in `InvalidTokenizer`.
 *
 * @example
 * ```ts
 * import { makeTokenizer, trainWordPiece } from "@tandem/models"
 *
 * const files = trainWordPiece(["the river was long", "the long river"], { vocabularySize: 60 })
 * console.log(makeTokenizer(files).encode("the river").ids)
 * ```
 */
export const trainWordPiece = (texts: Iterable<string>, options: WordPieceOptions): TokenizerFiles => {
  const { vocabularySize, minFrequency = 2, lowerCase = true, maxLength = 512 } = options
  const counts = countWords(texts, lowerCase)
  const alphabet = chooseAlphabet(counts, vocabularySize)
  const tokens: string[] = [...specialTokens, ...alphabet]
  if (alphabet.length === 0 || tokens.length > vocabularySize) {
    throw new InvalidTokenizer({
      message: alphabet.length === 0 ? "there is no text to train a tokenizer on" : "the vocabulary is too small",
      expected: `room for ${specialTokens.length} special tokens and the characters of the texts`,
      found: `${vocabularySize} tokens`,
    })
  }
  const ids = new Map(tokens.map((token, id) => [token, id]))
  mergePairs(split(counts, ids), minFrequency, (left, right) => {
    if (tokens.length >= vocabularySize) return undefined
    const piece = tokens[left]! + tokens[right]!.slice(2)
    const known = ids.get(piece)
    if (known !== undefined) return known
    ids.set(piece, tokens.length)
    tokens.push(piece)
    return tokens.length - 1
  })
  return wordPieceFiles(tokens, { lowerCase, maxLength })
}

/** How often each word occurs, words in a fixed order. */
const countWords = (texts: Iterable<string>, lowerCase: boolean): readonly (readonly [string, number])[] => {
  const files = wordPieceFiles(specialTokens, { lowerCase, maxLength: 512 })
  const { normalizer, pre_tokenizer: splitter } = new Library(files.tokenizer, files.config)
  const counts = new Map<string, number>()
  for (const text of texts) {
    for (const word of splitter?.(normalizer?.normalize(text) ?? text) ?? []) {
      counts.set(word, (counts.get(word) ?? 0) + 1)
    }
  }
  return [...counts].filter(([word]) => word.length <= longestWord).sort(([a], [b]) => (a < b ? -1 : 1))
}

/** Pieces of one character, in a fixed order: `c` for all, `##c` for those that stand in words of several. */
const chooseAlphabet = (counts: readonly (readonly [string, number])[], vocabularySize: number): readonly string[] => {
  const frequency = new Map<string, number>()
  const inside = new Set<string>()
  for (const [word, count] of counts) {
    const characters = [...word]
    for (const character of characters) {
      frequency.set(character, (frequency.get(character) ?? 0) + count)
      if (characters.length > 1) inside.add(character)
    }
  }
  const kept: string[] = []
  let pieces = 0
  for (const [character] of [...frequency].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))) {
    pieces += inside.has(character) ? 2 : 1
    if (pieces > vocabularySize / 2) break
    kept.push(character)
  }
  kept.sort()
  return [...kept, ...kept.filter((character) => inside.has(character)).map((character) => `##${character}`)]
}

/** Words as pieces of one character; a word with a character that has no piece teaches nothing. */
const split = (
  counts: readonly (readonly [string, number])[],
  ids: ReadonlyMap<string, number>,
): readonly CountedWord[] =>
  counts.flatMap(([word, count]) => {
    const pieces = [...word].map((character, index) => ids.get(index === 0 ? character : `##${character}`))
    const known = pieces.filter((piece) => piece !== undefined)
    return known.length === pieces.length ? [{ pieces: known, count }] : []
  })
