import type { EvaluationChart, Section } from "@tandem/report"
import type { Measured, Systems } from "@tandem/runs"
import { Option, Schema } from "effect"
import type { PreparedQuestion } from "../ralt/PreparedQuestion.ts"
import { answerVariants } from "./AnswerContexts.ts"

const Written = Schema.Record(Schema.String, Schema.Record(Schema.String, Schema.String))

/** What a run's page draws of evaluations of answers. */
export const answerCharts: readonly EvaluationChart[] = [
  { title: "Nats a token of the expected answers", metrics: answerVariants.map((name) => `${name}.nll`) },
  {
    title: "Written answers",
    metrics: ["closedBook", "retrieved"].flatMap((name) => [`${name}.exactMatch`, `${name}.f1`]),
  },
]

/** Questions that the page shows. */
const shown = 12

/** Questions with the expected answer and those that were written before and after training; none where nothing was. */
export const answerExamples = (
  questions: readonly PreparedQuestion[],
  { before, after }: Systems,
): readonly Section[] => {
  const [start, result] = [writtenIn(before), writtenIn(after)]
  const columns = [
    { name: "closed book, before", texts: start["closedBook"] },
    { name: "retrieved, before", texts: start["retrieved"] },
    { name: "closed book, after", texts: result["closedBook"] },
    { name: "retrieved, after", texts: result["retrieved"] },
  ].filter(({ texts = {} }) => Object.keys(texts).length > 0)
  const asked = questions.filter(({ id }) => columns.some(({ texts }) => texts?.[id] !== undefined)).slice(0, shown)
  if (asked.length === 0) return []
  return [
    {
      kind: "table",
      title: "Questions and what was answered",
      head: ["question", "expected", ...columns.map(({ name }) => name)],
      rows: asked.map(({ id, query, answers }) => [
        query,
        answers.join(" / "),
        ...columns.map(({ texts }) => texts?.[id] ?? ""),
      ]),
    },
  ]
}

const writtenIn = (measured: Measured | undefined): typeof Written.Type =>
  Option.getOrElse(Schema.decodeUnknownOption(Written)(measured?.shown), () => ({}))
