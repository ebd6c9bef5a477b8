import type { Chunk } from "@tandem/documents"
import type { Conversation } from "../Item.ts"
import { comparedText } from "./ComparedText.ts"
import { answersOf, excerpt, type Finding, shownTexts, type Verifier } from "./Finding.ts"
import { isQuotedFrom, quotedTexts } from "./Quotes.ts"
import { type Citation, citationsIn, isNameOf } from "./SourceNames.ts"

/**
 * Sources that a reply names and that were not shown: files, addresses, names, numbers beyond the last passage. What a shown
 * chunk or the user names is no source of the reply's.
 */
export const unknownSources: Verifier = (conversation) =>
  answersOf(conversation).flatMap(({ text, turn }): readonly Finding[] => {
    const strange = citationsIn(withoutShown(text, conversation)).filter((citation) => !isShown(citation, conversation))
    if (strange.length === 0) return []
    const others = shownTexts(conversation, turn).map((shown) => shown.normalize("NFKC").toLowerCase())
    const unknown = strange.filter(({ name }) => !others.some((shown) => shown.includes(name.toLowerCase())))
    return [...new Set(unknown.map(({ name }) => name))].map((name) => ({
      check: "unknown-source",
      turn,
      detail: `${excerpt(name)} was not shown`,
    }))
  })

/** Whether no turn of the assistant names a source that was shown or quotes one. */
export const uncited: Verifier = (conversation) => {
  const texts = conversation.item.shown.map(({ text }) => comparedText(text))
  const cites = answersOf(conversation).some(
    ({ text }) =>
      citationsIn(text).some((citation) => isShown(citation, conversation)) ||
      namesInProse(text, conversation) ||
      quotedTexts(text).some((quotation) => isQuotedFrom(quotation, texts)),
  )
  return cites ? [] : [{ check: "uncited", detail: "no answer names or quotes what was shown" }]
}

const isShown = ({ name, number }: Citation, { item: { shown } }: Conversation): boolean =>
  number === undefined
    ? shown.some(({ source, heading }) => isNameOf(name, source, heading))
    : number >= 1 && number <= shown.length

/** A source that was shown as a text may name it: its path, its file's name, with or without ending; longest first. */
const spellings = ({ source }: Chunk): readonly string[] => {
  const file = source.split("/").at(-1) ?? source
  const stem = file.replace(/\.[\p{L}\p{N}]{1,5}$/u, "")
  return [source, file, stem].filter((name) => name !== "")
}

/** Whether a text names a source that was shown as it stands. */
const namesInProse = (text: string, { item: { shown } }: Conversation): boolean =>
  shown.some((chunk) => spellings(chunk).some((name) => text.toLowerCase().includes(name.toLowerCase())))

/** A text without the paths and files' names of what was shown, which may hold spaces, commas and brackets. */
const withoutShown = (text: string, { item: { shown } }: Conversation): string =>
  shown
    .flatMap((chunk) => spellings(chunk).slice(0, 2))
    .sort((a, b) => b.length - a.length)
    .reduce((rest, name) => rest.split(name).join(" "), text)
