/** How many tokens a text has, without special tokens. */
export type CountTokens = (text: string) => number

/** The part of a tokenizer that counts; those of `@tandem/models` have it. */
export interface Encoding {
  readonly encode: (
    text: string,
    options: { readonly specialTokens: false },
  ) => { readonly ids: { readonly length: number } }
}

/** Counts by a tokenizer. */
export const countBy =
  ({ encode }: Encoding): CountTokens =>
  (text) =>
    encode(text, { specialTokens: false }).ids.length

/**
 * An estimate of a text's tokens as the sum over its words, each of which is counted once: most of a text are words that
 * stood in it before. Runs of more than 100 characters without a space are counted in parts, so that a text of one word is
 * never one token.
 */
export const estimateBy = (count: CountTokens): CountTokens => {
  const known = new Map<string, number>()
  const countWord = (word: string): number => {
    if (word.length > longestKept) return count(word)
    const before = known.get(word)
    if (before !== undefined) return before
    if (known.size >= mostKept) known.clear()
    const tokens = count(word)
    known.set(word, tokens)
    return tokens
  }
  return (text) => {
    let sum = 0
    for (const [word] of text.matchAll(words)) {
      if (word.length <= longestPart) sum += countWord(word)
      else for (const [part] of word.matchAll(/.{1,100}/gsu)) sum += countWord(part)
    }
    return sum
  }
}

/** Letters and numbers, or other signs, each with the white space before them. */
const words = /\s*(?:[\p{L}\p{M}\p{N}]+|[^\s\p{L}\p{M}\p{N}]+)/gu
const longestPart = 100
const longestKept = 48
const mostKept = 200_000
