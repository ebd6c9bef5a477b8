import { wordCount } from "./ComparedText.ts"
import { answersOf, excerpt, type Finding, type Verifier } from "./Finding.ts"
import { quotationsOf } from "./Quotations.ts"

/** Words that no sentence ends in. */
const unfinished = new Set(
  [
    "the a an of to and or but nor in on for with at by from into as is are was were be that which who if than because",
    "der die das dem den des ein eine und oder aber mit von vom zu zum im für auf ist sind wenn weil dass",
    "le la les de du des et ou à au aux en un une dans pour par sur que qui est",
    "el los las y o u de del con para por una en que es al se",
    "il lo gli e di da per con che è um uma os as do da dos das e",
    "и в во на с со не что но а из к от за о для",
  ].flatMap((words) => words.split(" ")),
)

const listItem = /^\s*(?:[-*•–]|\d{1,3}[.)]|\p{L}[.)])\s+/u
const ended = /[.!?…。！？؟۔।॥።։]$/u
const closingMarks = /(?:[)\]}"'”’»«›‹“‘」』】）*_~|\s]|\p{Extended_Pictographic}|\u200d|\ufe0f)+$/u
const closingCitation = /\s*[[(（【](?:[^()[\]（）【】]|\([^()]*\))*[\])）】]$/u
/** Scripts whose sentences end in no mark. */
const unmarked = /[\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}\p{sc=Tibetan}]$/u

/** Answers that break off: within a word, a sentence, a list, brackets, a quotation or a block of code. */
export const truncated: Verifier = (conversation) =>
  answersOf(conversation).flatMap(({ text, turn }): readonly Finding[] => {
    const how = text.trim() === "" ? undefined : breaksOff(text)
    return how === undefined ? [] : [{ check: "truncated", turn, detail: `${how}: …${excerpt(text.slice(-60))}` }]
  })

/** How a text breaks off, or nothing where it ends. */
export const breaksOff = (whole: string): string | undefined => {
  const text = whole.trimEnd()
  if ((text.match(/^\s*```/gm) ?? []).length % 2 === 1) return "a block of code is not closed"
  if (/```$/.test(text)) return undefined
  if (/(?:^|\n)\s*(?:\d{1,3}[.)]|[-*•–])$/.test(text)) return "a list ends in an empty item"
  const paragraph = text.split(/\n\s*\n/).at(-1) ?? ""
  if (hasOpenBracket(paragraph)) return "a bracket is not closed"
  if (quotationsOf(text).isOpen) return "a quotation is not closed"
  return endsOpen(text)
}

const hasOpenBracket = (paragraph: string): boolean => {
  let open = 0
  for (const { 0: bracket } of paragraph.replace(/[:;]-?[()]/g, "").matchAll(/[([（【)\]）】]/g))
    open = "([（【".includes(bracket) ? open + 1 : Math.max(0, open - 1)
  return open > 0
}

const endsOpen = (text: string): string | undefined => {
  const line = text.slice(text.lastIndexOf("\n") + 1)
  const bare = withoutEnd(text)
  if (bare === "" || ended.test(bare)) return undefined
  // What stands behind the last sentence may be its source.
  if (ended.test(withoutEnd(bare.replace(/(?:^|\s)\S{0,3}\p{L}{2,12}\s*[:：]\s*\S+$/u, "")))) return undefined
  if (/[,;:、，；：—–\-/&+=]$/u.test(bare)) return "it ends within a sentence"
  const last = /([\p{L}\p{M}'’]+)$/u.exec(bare)?.[1]?.toLowerCase()
  if (last !== undefined && unfinished.has(last)) return "it ends within a sentence"
  if (/`$/.test(text) || unmarked.test(bare) || /(?:https?:\/\/|www\.)\S+$/.test(bare)) return undefined
  if (listItem.test(line)) return unlikeOthers(text) ? "its last item ends otherwise than the others" : undefined
  if (/^\s*(?:#{1,6} |\||>)/.test(line)) return undefined
  const isShort = wordCount(bare) <= 6 && !/[,;:、，；。.!?]\s?/u.test(bare)
  return isShort ? undefined : "it ends without the mark that ends a sentence"
}

/** Without marks, pictures and sources in brackets that stand behind a sentence. */
const withoutEnd = (text: string): string => {
  let bare = text
  for (;;) {
    const next = bare.replace(closingCitation, "").replace(closingMarks, "")
    if (next === bare) return bare
    bare = next
  }
}

/** Whether a list's items all end as sentences do, but for the last one. */
const unlikeOthers = (text: string): boolean => {
  const items = text.split("\n").filter((line) => listItem.test(line))
  const others = items.slice(0, -1)
  return others.length > 0 && others.every((item) => ended.test(withoutEnd(item)))
}
