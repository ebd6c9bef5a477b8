import { cutSpaceless } from "../SpacelessScripts.ts"

/**
 * A text as its lower-case words and numbers with one space between, accents taken apart, for comparisons. In scripts
 * without spaces each character is a word.
 */
export const wordsOf = (text: string): string =>
  (
    text
      .normalize("NFKD")
      .toLowerCase()
      .match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
  )
    .flatMap(cutSpaceless)
    .join(" ")

/** Whether the words of `part` stand in a row in `whole`; both as {@link wordsOf} gives them. No words stand nowhere. */
export const containsWords = (whole: string, part: string): boolean => part !== "" && ` ${whole} `.includes(` ${part} `)
