import type { Conversation } from "../Item.ts"
import { answersOf } from "./Finding.ts"

const words = /\p{N}+(?:[.,]\p{N}+)*|[\p{L}\p{M}]+/gu

const wordsOf = (text: string): readonly string[] =>
  (text.normalize("NFKC").toLowerCase().match(words) ?? []).flatMap((word) =>
    /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]/u.test(word) ? Array.from(word) : [word],
  )

/** Words, of a script with spaces, that are enough to give a text away. */
const enough = 5

/**
 * What gives an answer away: the longest runs of words that the assistant's turns share with the true chunk and that no
 * question holds, of five words or, with a number among them, of two. Scripts without spaces count two characters for a word.
 */
export const tellTales = (conversation: Conversation): readonly string[] => {
  const { item, turns } = conversation
  const asked = ` ${turns.flatMap(({ role, text }) => (role === "user" ? wordsOf(text) : [])).join(" ")} `
  const truth = (item.multi ?? [item.chunk]).map(({ text }) => ` ${wordsOf(text).join(" ")} `)
  const found = new Set<string>()
  for (const { text } of answersOf(conversation)) {
    const said = wordsOf(text)
    for (let start = 0; start < said.length; ) {
      let end = start
      while (end < said.length && truth.some((one) => one.includes(` ${said.slice(start, end + 1).join(" ")} `))) end++
      const run = said.slice(start, end)
      if (isTelling(run) && !asked.includes(` ${run.join(" ")} `)) found.add(run.join(" "))
      start = Math.max(end, start + 1)
    }
  }
  return [...found]
}

const isTelling = (run: readonly string[]): boolean => {
  const isSpaceless = run.some((word) => /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}]/u.test(word))
  const length = isSpaceless ? run.length / 2 : run.length
  return length >= enough || (length >= 2 && run.some((word) => /\p{N}/u.test(word)))
}
