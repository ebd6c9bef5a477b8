/** A text as its lower-case words and numbers with one space between, accents taken apart, for comparisons. */
export const wordsOf = (text: string): string =>
  (
    text
      .normalize("NFKD")
      .toLowerCase()
      .match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
  ).join(" ")

/** Whether the words of `part` stand in a row in `whole`; both as {@link wordsOf} gives them. No words stand nowhere. */
export const containsWords = (whole: string, part: string): boolean => part !== "" && ` ${whole} `.includes(` ${part} `)
