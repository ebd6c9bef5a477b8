import type { Example } from "@tandem/datasets"
import { exactMatch } from "@tandem/evals"
import type { EvaluationChart, Section } from "@tandem/report"
import type { Measured, Systems } from "@tandem/runs"
import { Option, Schema } from "effect"
import { answerVariants } from "../answers/AnswerContexts.ts"
import { foundPassages, type PreparedPassage, type PreparedQuestion } from "../ralt/PreparedQuestion.ts"
import { searchCharts } from "../retrieval/SearchPage.ts"
import type { RagResult } from "./EvaluateRag.ts"

/** Questions that a run keeps answers of with their sources, and that the page shows. */
const kept = 200
const shown = 12

const Numbers = Schema.Array(Schema.Number)
const Kept = Schema.Record(
  Schema.String,
  Schema.Struct({
    sources: Schema.Array(
      Schema.Struct({
        id: Schema.String,
        title: Schema.optionalKey(Schema.String),
        text: Schema.String,
        gold: Schema.Boolean,
        prior: Schema.Number,
        posterior: Schema.Number,
      }),
    ),
    tokens: Schema.Array(Schema.Struct({ text: Schema.String, weights: Numbers })),
    text: Schema.optionalKey(Schema.String),
    closedBook: Schema.optionalKey(Schema.String),
  }),
)
type Kept = typeof Kept.Type

/** What a run's page draws of evaluations of a whole system. */
export const jointCharts: readonly EvaluationChart[] = [
  { title: "Nats a token of the expected answers", metrics: answerVariants.map((name) => `${name}.nll`) },
  {
    title: "Written answers",
    metrics: ["closedBook", "random", "retrieved", "gold"].map((name) => `${name}.exactMatch`),
  },
  ...searchCharts.evaluations,
]

/** What a run keeps of answers with their sources. */
export const shownAnswers = (
  questions: readonly PreparedQuestion[],
  {
    k,
    answers,
    passages,
    closedBook,
  }: {
    readonly k: number
    readonly answers: RagResult["answers"]
    readonly passages: ReadonlyMap<string, { readonly prior: readonly number[]; readonly posterior: readonly number[] }>
    readonly closedBook: Readonly<Record<string, string>>
  },
): Kept =>
  Object.fromEntries(
    questions.slice(0, kept).map((question) => {
      const { id } = question
      const answer = answers.get(id)
      const { prior = [], posterior = [] } = passages.get(id) ?? {}
      const explained = answer?.posterior ?? posterior
      const alone = closedBook[id]
      const gold = new Set([
        ...question.passages.flatMap((passage) => (passage.gold === true ? [passage.id] : [])),
        ...(question.alsoGold ?? []),
      ])
      return [
        id,
        {
          sources:
            answer?.sources?.map(({ passage, ...shares }) => ({
              ...source({ ...passage, gold: gold.has(passage.id) }),
              prior: shares.prior,
              posterior: shares.weight,
            })) ??
            foundPassages(question)
              .slice(0, k)
              .map((passage, place) => ({
                ...source(passage),
                prior: prior[place] ?? 0,
                posterior: explained[place] ?? 0,
              })),
          tokens: (answer?.tokens ?? []).map(({ text, weights }) => ({ text, weights })),
          ...(answer === undefined ? {} : { text: answer.text.trim() }),
          ...(alone === undefined ? {} : { closedBook: alone }),
        },
      ]
    }),
  )

const source = ({ id, title, text, gold = false }: PreparedPassage) => ({
  id,
  ...(title === undefined ? {} : { title }),
  text,
  gold,
})

/** Questions with answers before and after training and where each came from: first those that training changed. */
export const jointExamples = (
  examples: readonly Pick<Example, "id" | "query" | "answers">[],
  { before, after }: Systems,
): readonly Section[] => {
  const systems = [
    { system: "before", found: keptIn(before) },
    { system: "after", found: keptIn(after) },
  ]
  const isRight = (text: string, answers: readonly string[]) => answers.length > 0 && exactMatch(text, answers) === 1
  const questions = examples.flatMap(({ id, query, answers }) => {
    const told = systems.flatMap(({ system, found }) => {
      const one = found[id]
      return one?.text === undefined ? [] : [{ system, one, right: isRight(one.text, answers) }]
    })
    if (told.length === 0) return []
    const changed = told.length === 2 && told[0]!.right !== told[1]!.right
    return [
      {
        order: changed ? 0 : told.at(-1)!.right ? 2 : 1,
        question: query,
        expected: answers,
        plain: told.flatMap(({ system, one }) =>
          one.closedBook === undefined
            ? []
            : [{ system, text: one.closedBook, right: isRight(one.closedBook, answers) }],
        ),
        answers: told.map(({ system, one: { sources, tokens }, right }) => ({ system, right, sources, tokens })),
      },
    ]
  })
  if (questions.length === 0) return []
  return [
    {
      kind: "sources",
      title: "Answers and their sources",
      questions: questions.sort((a, b) => a.order - b.order).slice(0, shown),
    },
  ]
}

const keptIn = (measured: Measured | undefined): Kept =>
  Option.getOrElse(Schema.decodeUnknownOption(Kept)(measured?.shown), () => ({}))
