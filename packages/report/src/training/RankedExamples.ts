import type { Color } from "../Color.ts"
import type { SectionHead } from "../Kind.ts"
import type { Column, Example, Examples, ShownPassage } from "../kinds/Examples.ts"
import { chooseExamples, type Reason, type Scores } from "./ChooseExamples.ts"

/** A question of the evaluation. */
export interface Question {
  readonly query: string
  readonly answers: readonly string[]
  /** Ids of the passages that answer it. */
  readonly gold: readonly string[]
}

/** What a system found. */
export interface RankedSystem {
  readonly name: string
  readonly color: Color
  /** By question, best first; shorter than the questions where not all were kept. */
  readonly rankings: readonly (readonly { readonly id: string; readonly score: number }[])[]
  /** By question, in 0 to 1, such as the reciprocal rank; NaN where there is none. Questions are chosen by it. */
  readonly scores?: ArrayLike<number>
  /** By question: the place, from 1, of the first passage that answers, 0 or NaN where it is not known. */
  readonly places?: ArrayLike<number>
}

/** What there is to choose from. */
export interface RankedQuestions {
  readonly questions: readonly Question[]
  readonly systems: readonly RankedSystem[]
  /** The system that training began with and the one it made, by name; before a run ends, the first one alone. */
  readonly before?: string
  readonly after?: string
  readonly passage: (id: string) => { readonly text: string; readonly title?: string | undefined } | undefined
  readonly counts?: Scores["counts"]
}

/** What groups of examples are called once there is something to compare, and before. */
const groups: Readonly<Record<"compared" | "alone", Readonly<Record<Reason, string>>>> = {
  compared: {
    improved: "Most improved",
    worse: "Worse than before",
    failing: "Still failing",
    working: "Found before and after",
  },
  alone: { improved: "Improved", worse: "Worse", failing: "Not found among the first", working: "Found at once" },
}

/** Questions chosen from an evaluation with what each system found, and the passages that answer them. */
export const rankedExamples = (from: RankedQuestions): { readonly kind: "examples" } & SectionHead & Examples => {
  const { systems } = from
  const [start, result] = [from.before, from.after].map((name) => systems.find((system) => system.name === name))
  const measured = result ?? start
  const compared = start?.scores !== undefined && result?.scores !== undefined
  const kept = Math.min(from.questions.length, ...systems.map(({ rankings }) => rankings.length))
  const within = (values: ArrayLike<number>): ArrayLike<number> => Array.from(values).slice(0, kept)
  const choices =
    measured?.scores === undefined
      ? []
      : chooseExamples({
          ...(compared && start.scores !== undefined ? { before: within(start.scores) } : {}),
          after: within(measured.scores),
          ...(from.counts === undefined ? {} : { counts: from.counts }),
        })
  return {
    kind: "examples",
    title: "Questions and what was found",
    examples: choices.flatMap(({ index, reason }) => {
      const question = from.questions[index]
      const group = groups[compared ? "compared" : "alone"][reason]
      return question === undefined ? [] : [{ group, ...example(question, index, from) }]
    }),
  }
}

const example = ({ query, answers, gold }: Question, index: number, { systems, passage }: RankedQuestions): Example => {
  const shown = (id: string): ShownPassage => {
    const { text, title } = passage(id) ?? {}
    return { id, ...(text === undefined ? {} : { text }), ...(title === undefined ? {} : { title }) }
  }
  const columns = systems.map(({ name, color, rankings, places }): Column => {
    const place = places?.[index] ?? 0
    const passages = (rankings[index] ?? []).map(({ id, score }) => ({ ...shown(id), score }))
    return { system: name, color, passages, ...(place > 0 && Number.isFinite(place) ? { place } : {}) }
  })
  return { question: query, answers, gold: gold.map(shown), columns }
}
