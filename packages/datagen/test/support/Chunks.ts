import type { Chunk } from "../../src/index.ts"

/** Chunks of documents, each of which is a list of texts. */
export const chunksOf = (documents: Readonly<Record<string, readonly string[]>>): readonly Chunk[] =>
  Object.entries(documents).flatMap(([source, texts]) => {
    let start = 0
    return texts.map((text, index): Chunk => {
      const from = start
      start += text.length + 2
      return { id: `${source}#${index}`, source, document: source, index, text, start: from, end: from + text.length }
    })
  })

const subjects = ["harbour", "orchard", "glacier", "library", "furnace", "meadow", "lighthouse", "canyon"]
const verbs = ["stores", "guards", "feeds", "hides", "measures", "repairs", "carries", "paints"]
const objects = ["salt", "letters", "copper", "seeds", "lanterns", "maps", "timber", "bells"]

/** A sentence that no other number gives. */
export const sentence = (number: number): string => {
  const word = (list: readonly string[], shift: number) => list[(number * 7 + shift * 3 + (number >> 3)) % list.length]
  return `The ${word(subjects, 1)} ${number} ${word(verbs, 2)} ${word(objects, 3)} for the ${word(subjects, 5)} ${number * 31}.`
}

/** Documents of three chunks each. */
export const manyChunks = (documents: number): readonly Chunk[] =>
  chunksOf(
    Object.fromEntries(
      Array.from({ length: documents }, (_, document) => [
        `d${document}.txt`,
        Array.from(
          { length: 3 },
          (_, part) => `${sentence(document * 6 + part * 2)} ${sentence(document * 6 + part * 2 + 1)}`,
        ),
      ]),
    ),
  )
