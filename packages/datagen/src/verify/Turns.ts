import type { Turn } from "../Item.ts"
import { comparedText } from "./ComparedText.ts"
import type { Finding, Verifier } from "./Finding.ts"

export interface TurnOptions {
  /** Most characters of a turn; 8,000 where absent. */
  readonly maxCharacters?: number
}

/** How often a sentence may stand in one turn. */
const mostOften = 3

/** Turns that do not alternate, are empty, too long, say the same as another or go round in circles. */
export const brokenTurns =
  ({ maxCharacters = 8000 }: TurnOptions = {}): Verifier =>
  ({ turns }) => {
    const finding = (detail: string, turn?: number): Finding => ({
      check: "turns",
      ...(turn === undefined ? {} : { turn }),
      detail,
    })
    const order = turns.findIndex(({ role }, at) => role !== (at % 2 === 0 ? "user" : "assistant"))
    const said = new Map<string, number>()
    return [
      ...(turns.length === 0 ? [finding("nothing is said")] : []),
      ...(order < 0 ? [] : [finding("a question and an answer do not follow one another", order)]),
      ...(turns.at(-1)?.role === "user" ? [finding("the last question has no answer", turns.length - 1)] : []),
      ...turns.flatMap(({ text }, at) => {
        const { characters } = comparedText(text)
        if (characters === "") return [finding("it is empty", at)]
        if (text.length > maxCharacters)
          return [finding(`${text.length} characters are more than ${maxCharacters}`, at)]
        if (repeats({ text })) return [finding("it says a sentence again and again", at)]
        const earlier = said.get(characters)
        said.set(characters, at)
        return earlier === undefined ? [] : [finding(`it says the same as turn ${earlier + 1}`, at)]
      }),
    ]
  }

const repeats = ({ text }: Pick<Turn, "text">): boolean => {
  const counts = new Map<string, number>()
  for (const sentence of text.split(/[.!?。！？\n]+/)) {
    const key = sentence.trim().toLowerCase()
    if (key.length >= 12) counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return [...counts.values()].some((count) => count > mostOften)
}
