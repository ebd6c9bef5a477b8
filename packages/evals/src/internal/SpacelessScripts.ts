/** Scripts that put no spaces between words, as the content of a character class. */
const scripts = [
  ...["Han", "Hiragana", "Katakana", "Bopomofo", "Yi", "Thai", "Lao", "Khmer", "Myanmar"],
  ...["Javanese", "Tai_Le", "New_Tai_Lue", "Tai_Tham", "Tai_Viet"],
]
  .map((script) => `\\p{sc=${script}}`)
  // Marks of repetition, voicing and length that both kana share.
  .concat("\\u3031-\\u3035\\u3099-\\u309C\\u30FC\\uFF70\\uFF9E\\uFF9F")
  .join("")

const spaceless = new RegExp(`[${scripts}]`, "u")
const pieces = new RegExp(`[${scripts}]\\p{M}*|[^${scripts}]+`, "gu")

/**
 * A run of letters, marks and numbers cut before and behind every character of a script without spaces, whose words
 * nothing else divides; any other run is one piece. A mark stays with its character.
 */
export const cutSpaceless = (run: string): readonly string[] =>
  spaceless.test(run) ? (run.match(pieces) ?? []) : [run]

/** Whether a text has a character of a script without spaces. */
export const isSpaceless = (text: string): boolean => spaceless.test(text)
