import type { Example, Passage } from "@tandem/datasets"
import { goldOf } from "../retrieval/EvaluateTowers.ts"
import type { PreparedPassage, PreparedQuestion } from "./PreparedQuestion.ts"

/** The text that is trained on: the response, else the first answer. */
export const answerOf = ({ response, answers }: Example): string | undefined =>
  [response, ...answers].find((text) => text !== undefined && text.trim() !== "")

/** A passage of a prepared question, marked where the data say that it answers. */
export const preparedPassage = (
  { id, title, text }: Passage,
  gold: ReadonlySet<string>,
  score?: number,
): PreparedPassage => ({
  id,
  ...(title === undefined ? {} : { title }),
  text,
  ...(score === undefined ? {} : { score }),
  ...(gold.has(id) ? { gold: true } : {}),
})

/** A question with what was found for it, and behind that a passage that answers it where none was found. */
export const preparedQuestion = (
  example: Example,
  found: readonly PreparedPassage[],
  corpus: ReadonlyMap<string, Passage>,
): PreparedQuestion => {
  const gold = goldOf(example)
  const missing = found.some(({ id }) => gold.has(id)) ? undefined : [...gold].flatMap((id) => corpus.get(id) ?? [])[0]
  const unseen = [...gold].filter((id) => id !== missing?.id && found.every((passage) => passage.id !== id))
  const answer = answerOf(example) ?? ""
  return {
    id: example.id,
    query: example.query,
    answer,
    answers: example.answers.length > 0 ? example.answers : [answer],
    passages: [...found, ...(missing === undefined ? [] : [preparedPassage(missing, gold)])],
    ...(unseen.length === 0 ? {} : { alsoGold: unseen }),
    ...(example.weight === undefined ? {} : { weight: example.weight }),
  }
}
