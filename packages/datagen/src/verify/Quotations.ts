/** What stands between quotation marks. */
export interface Quotation {
  readonly text: string
  /** Where its opening mark stands. */
  readonly at: number
}

/** The quotations of a text, and whether its last one is never closed. */
export interface Quotations {
  readonly quotations: readonly Quotation[]
  readonly isOpen: boolean
}

/** Opening marks with those that close them, over the languages that use them. */
const closing: Readonly<Record<string, string>> = {
  "“": "”",
  "”": "”",
  "„": '“”"',
  "‚": "‘’",
  "‘": "’",
  "«": "»",
  "»": "«",
  "‹": "›",
  "›": "‹",
  "「": "」",
  "『": "』",
  '"': '"',
  "'": "'",
}

/** Longest quotation, in characters: what is longer is a mark that means something else. */
const longest = 2000

const isWord = (character: string | undefined): boolean => character !== undefined && /[\p{L}\p{N}]/u.test(character)

/**
 * The quotations of a text in the marks of English, German, French, Spanish, Russian, Chinese, Japanese and others. An
 * apostrophe, an inch and what stands in code are none.
 */
export const quotationsOf = (whole: string): Quotations => {
  const text = withoutCode(whole)
  const quotations: Quotation[] = []
  for (let at = 0; at < text.length; at++) {
    const marks = closing[text[at]!]
    if (marks === undefined || !opens(text, at)) continue
    const end = closes(text, at, marks)
    if (end === undefined) {
      // A single mark may be an apostrophe.
      if (!/['‘’‚‹›]/.test(text[at]!)) return { quotations, isOpen: isLastParagraph(text, at) }
      continue
    }
    quotations.push({ text: text.slice(at + 1, end), at })
    at = end
  }
  return { quotations, isOpen: false }
}

/** Lines that Markdown shows as a quotation, one for each run of them. */
export const blockQuotations = (text: string): readonly Quotation[] =>
  Array.from(withoutCode(text).matchAll(/(?:^[ \t]*>.*(?:\n|$))+/gm), ({ 0: block, index }) => ({
    text: block
      .replace(/^[ \t]*>[ \t]?/gm, "")
      .trim()
      .replace(/\n[ \t]*[—–-].*$/, ""),
    at: index,
  }))

/** Code with quotation marks blanked, so that places stay. */
const withoutCode = (text: string): string =>
  text.replace(/```[\s\S]*?(?:```|$)|`[^`\n]*["'“«][^`\n]*`/g, (code) => code.replace(/[^\n`]/g, " "))

const opens = (text: string, at: number): boolean => {
  const [before, mark, behind] = [text[at - 1], text[at]!, text[at + 1]]
  if (behind === undefined) return mark !== "'" && mark !== "’"
  switch (mark) {
    case "'":
    case "‘":
      return !isWord(before) && isWord(behind)
    case '"':
    case "”":
      return !isWord(before) && !/\s/.test(behind)
    case "»":
    case "›":
      return !isWord(before) && isWord(behind)
    default:
      return true
  }
}

const closes = (text: string, open: number, marks: string): number | undefined => {
  const mark = text[open]!
  for (let at = open + 1; at < text.length && at - open <= longest; at++) {
    if (text.startsWith("\n\n", at)) return undefined
    if (!marks.includes(text[at]!)) continue
    const isApostrophe = /['’"]/.test(text[at]!) && isWord(text[at + 1])
    if (isApostrophe && mark !== "“" && mark !== "„") continue
    if (mark === '"' && /\s/.test(text[at - 1]!)) continue
    return at
  }
  return undefined
}

const isLastParagraph = (text: string, at: number): boolean => !/\n\s*\n/.test(text.slice(at).trimEnd())
