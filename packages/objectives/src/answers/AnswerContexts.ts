import { Random } from "@tandem/random"
import { foundPassages, goldPassage, type PreparedPassage, type PreparedQuestion } from "../ralt/PreparedQuestion.ts"

/** What a generator is shown with a question, from nothing to what answers it. */
export const answerVariants = ["closedBook", "random", "retrieved", "gold"] as const
export type AnswerVariant = (typeof answerVariants)[number]

/**
 * The passages that each question is shown in a variant: none, as many as were found of other questions' that do not answer
 * it (drawn by the seed),
 * the `k` best that were found, or the one that answers. Undefined for a question that has none of that kind.
 */
export const answerContexts = (
  questions: readonly PreparedQuestion[],
  variant: AnswerVariant,
  { k, seed }: { readonly k: number; readonly seed: number },
): readonly (readonly PreparedPassage[] | undefined)[] => {
  switch (variant) {
    case "closedBook":
      return questions.map(() => [])
    case "retrieved":
      return questions.map((question) => foundPassages(question).slice(0, k))
    case "gold":
      return questions.map((question) => {
        const gold = goldPassage(question)
        return gold === undefined ? undefined : [gold]
      })
    case "random": {
      const pool = [...new Map(questions.flatMap(({ passages }) => passages.map((each) => [each.id, each])))].map(
        ([, passage]) => passage,
      )
      return questions.map(({ id, passages, alsoGold = [] }) => {
        const own = new Set([...passages.map((passage) => passage.id), ...alsoGold])
        const others = pool.filter((passage) => !own.has(passage.id))
        const random = Random.fromSeed(seed).derive("random passages", id)
        return others.length === 0 ? undefined : random.sample(others, k)
      })
    }
  }
}
