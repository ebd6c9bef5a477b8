import { type ComparedText, comparedText, standsIn, wordCount } from "./ComparedText.ts"
import { answersOf, excerpt, type Finding, shownTexts, type Verifier } from "./Finding.ts"
import { blockQuotations, quotationsOf } from "./Quotations.ts"

/** What is left out of a quotation, or put into it. */
const gaps = /\[[^\]]*\]|\((?:…|\.{3})\)|…|\.{3,}|(?:\. ){2,}\./g

/**
 * Whether a quotation has enough of its own to be checked. A word or two between marks are a term, or are meant otherwise;
 * a number never is.
 */
const isChecked = (quotation: string): boolean => wordCount(quotation) >= 3 || /\p{N}/u.test(quotation)

/** A quotation's parts around what it leaves out. */
const fragmentsOf = (quotation: string): readonly ComparedText[] =>
  quotation
    .split(gaps)
    .map(comparedText)
    .filter(({ characters }) => characters !== "")

/** What a reply quotes, in marks or as a block. */
export const quotedTexts = (text: string): readonly string[] =>
  [...quotationsOf(text).quotations, ...blockQuotations(text)].map((quotation) => quotation.text).filter(isChecked)

/** Whether a quotation stands in one of these texts, with its gaps in their order. */
export const isQuotedFrom = (quotation: string, texts: readonly ComparedText[]): boolean => {
  const fragments = fragmentsOf(quotation)
  return texts.some((text) => standsIn(fragments, text))
}

/**
 * Quotations that stand in no chunk that was shown, nor in what the user said before. Each has to stand in one text, word for
 * word and in its order, apart from what `…` or brackets leave out.
 */
export const inventedQuotes: Verifier = (conversation) => {
  const shown = conversation.item.shown.map(({ text }) => comparedText(text))
  return answersOf(conversation).flatMap(({ text, turn }): readonly Finding[] => {
    const quoted = quotedTexts(text).filter((quotation) => !isQuotedFrom(quotation, shown))
    if (quoted.length === 0) return []
    const others = shownTexts(conversation, turn).map(comparedText)
    return quoted
      .filter((quotation) => !isQuotedFrom(quotation, others))
      .map((quotation) => ({
        check: "invented-quote",
        turn,
        detail: `“${excerpt(quotation)}” stands in no shown chunk`,
      }))
  })
}
