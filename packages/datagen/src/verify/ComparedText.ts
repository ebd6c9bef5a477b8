import { isSpaceless } from "@tandem/datasets"

/**
 * A text reduced to what quotations are compared by: its letters, marks and digits in lower case. How it is spaced, broken
 * into lines, hyphenated, punctuated, emphasised and put between quotation marks does not count; a decimal point does.
 */
export interface ComparedText {
  readonly characters: string
  /** Where in `characters` words begin, and its length. */
  readonly boundaries: ReadonlySet<number>
}

const invisible = /[\u00ad\u200b-\u200f\u2060\ufeff]/g
const thousands = /(?<=\d)[,.'’ \u00a0\u2009\u202f](?=\d{3}(?!\d))/g
const pieces = /\p{N}+(?:[.,]\p{N}+)*|[\p{L}\p{M}]+/gu

/** {@link ComparedText} of a text. */
export const comparedText = (text: string): ComparedText => {
  const plain = text.replace(invisible, "").normalize("NFKC").toLowerCase().replace(thousands, "")
  const boundaries = new Set<number>()
  let characters = ""
  for (const [word] of plain.matchAll(pieces)) {
    // What is written without spaces has a word's beginning at every character.
    if (isSpaceless(word)) for (let at = 0; at < word.length; at++) boundaries.add(characters.length + at)
    boundaries.add(characters.length)
    characters += word.replaceAll(",", ".")
  }
  boundaries.add(characters.length)
  return { characters, boundaries }
}

/** Where a text stands in whole words within another from `start` on: the place behind it; undefined where it does not. */
export const endOf = (sought: ComparedText, within: ComparedText, start = 0): number | undefined => {
  const { characters } = sought
  if (characters === "") return start
  for (let at = within.characters.indexOf(characters, start); at >= 0; ) {
    const end = at + characters.length
    if (within.boundaries.has(at) && within.boundaries.has(end)) return end
    at = within.characters.indexOf(characters, at + 1)
  }
  return undefined
}

/** Whether texts stand in another one after the other, in this order. */
export const standsIn = (fragments: readonly ComparedText[], within: ComparedText): boolean => {
  let end: number | undefined = 0
  for (const fragment of fragments) {
    end = endOf(fragment, within, end)
    if (end === undefined) return false
  }
  return true
}

/** Words of a text; of what is written without spaces, a word for every two characters. */
export const wordCount = (text: string): number =>
  (text.match(/[\p{L}\p{M}\p{N}]+/gu) ?? []).reduce(
    (sum, word) => sum + (isSpaceless(word) ? Math.ceil(word.length / 2) : 1),
    0,
  )
