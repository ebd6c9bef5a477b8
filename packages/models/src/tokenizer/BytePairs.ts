import { isRecord } from "../internal/Record.ts"
import { applyMerges, type MergeTable } from "./ApplyMerges.ts"

/** The library's model of merges. */
interface Merging {
  encode: (words: string[]) => string[]
  bpe: (word: string) => string[]
  readonly tokens_to_ids: ReadonlyMap<string, number>
  fuse_unk: boolean
}

const isMerging = (model: object): model is Merging => "bpe" in model && typeof model.bpe === "function"

/**
 * Makes the library's model of `tokenizer.json`'s entry `model` do with characters that a BPE vocabulary lacks what Python's
 * `tokenizers` does (`merge_word` of its `models/bpe/model.rs`). The library looks for what is unknown after it has merged;
 * there it is looked for before:
 *
 * - without byte tokens and an unknown token the character is dropped, and its neighbours merge across it;
 * - with byte tokens it becomes them;
 * - else it becomes the unknown token, one for several in a row with `fuse_unk`, but not for those of the next word. That token
 *   is held back until a known character or the end of the word follows, so byte tokens overtake it.
 *
 * A vocabulary may mark the last character of a word (`end_of_word_suffix`) and all but the first
 * (`continuing_subword_prefix`, which the library does not know): a character is looked for with its marks, and so are its
 * bytes.
 *
 * Words of known characters alone, which are all words of a byte-level vocabulary with every byte, go the library's way.
 */
export const alignMerges = (model: object | null, entry: unknown): void => {
  if (model === null || !isMerging(model) || !isRecord(entry)) return
  const { unk_token: unknown } = entry
  const [end, prefix] = [entry["end_of_word_suffix"], entry["continuing_subword_prefix"]].map(textOf)
  const { tokens_to_ids: vocabulary, fuse_unk: fuses } = model
  const isMarked = end !== "" || prefix !== ""
  const library = model.bpe.bind(model)
  const table = isMarked ? mergeTable(entry["merges"], prefix!.length) : undefined
  const merge = (symbols: readonly string[]): readonly string[] =>
    table === undefined ? library(symbols.join("")) : applyMerges(symbols, table)
  const bytes = entry["byte_fallback"] === true ? byteTokens(vocabulary) : () => undefined
  const whole = entry["ignore_merges"] === true

  const tokensOf = (word: string): readonly string[] => {
    if (whole && vocabulary.has(word)) return [word]
    const letters = Array.from(word)
    const characters = isMarked
      ? letters.map((letter, at) => `${at > 0 ? prefix : ""}${letter}${at === letters.length - 1 ? end : ""}`)
      : letters
    if (characters.every((character) => vocabulary.has(character))) return merge(characters)
    const tokens: string[] = []
    const known: string[] = []
    let held = false
    const put = (...others: readonly string[]): void => {
      tokens.push(...merge(known.splice(0)), ...others)
    }
    for (const character of characters) {
      const fallback = vocabulary.has(character) ? undefined : bytes(character)
      if (fallback !== undefined) {
        put(...fallback)
      } else if (vocabulary.has(character)) {
        if (held && isText(unknown)) put(unknown)
        held = false
        known.push(character)
      } else if (isText(unknown)) {
        if (held && !fuses) put(unknown)
        held = true
      }
    }
    put(...(held && isText(unknown) ? [unknown] : []))
    return tokens
  }
  model.fuse_unk = false
  model.encode = (words) => words.flatMap(tokensOf)
}

/** Merges of `tokenizer.json` by rank: pairs, or texts with a space between two. The right one loses its mark. */
const mergeTable = (merges: unknown, prefixLength: number): MergeTable => {
  const ranks = new Map<string, number>()
  for (const [rank, merge] of (Array.isArray(merges) ? merges : []).entries()) {
    const [left, right] = Array.isArray(merge) ? merge : String(merge).split(" ", 2)
    const key = JSON.stringify([left, right])
    ranks.set(key, rank)
  }
  return {
    rank: (left, right) => ranks.get(JSON.stringify([left, right])),
    joined: (left, right) => left + right.slice(prefixLength),
  }
}

const textOf = (value: unknown): string => (isText(value) ? value : "")

const isText = (value: unknown): value is string => typeof value === "string" && value !== ""

/** The tokens of a character's UTF-8 bytes, undefined where the vocabulary lacks one of them. */
const byteTokens = (vocabulary: ReadonlyMap<string, number>) => {
  const encoder = new TextEncoder()
  return (character: string): readonly string[] | undefined => {
    const tokens = Array.from(
      encoder.encode(character),
      (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`,
    )
    return tokens.every((token) => vocabulary.has(token)) ? tokens : undefined
  }
}
