import type { Interval } from "@tandem/evals"
import { type Color, lineColor } from "../Color.ts"
import { figure, quantity } from "../Html.ts"
import type { SectionHead } from "../Kind.ts"
import type { Figures, System } from "../kinds/Figures.ts"
import { type Metrics, metricNames } from "../Metrics.ts"
import type { EvaluationRow } from "./TrainingRows.ts"

/** What a run's models score, before and after, and what others do. */
export interface Outcome {
  readonly before?: Metrics
  /** Of the saved models; a run that has not ended has none. */
  readonly after?: Metrics
  /** The last evaluation: it stands for the result until the run ends. */
  readonly latest?: EvaluationRow
  /** Others by name, such as BM25. */
  readonly baselines?: Readonly<Record<string, Metrics>>
  /** What was made of the result, such as the same model in q8. */
  readonly variants?: Readonly<Record<string, Metrics>>
  /** Differences by label, such as `after − before`. */
  readonly differences?: Readonly<Record<string, Readonly<Record<string, Interval>>>>
}

/** The figures of a run's outcome side by side. */
export const outcomeFigures = (outcome: Outcome): { readonly kind: "figures" } & SectionHead & Figures => {
  const { before, after, latest, baselines = {}, variants = {}, differences = {} } = outcome
  const result = after ?? latest?.metrics
  const others = Object.keys(baselines).length
  const named = (all: Readonly<Record<string, Metrics>>, first: number): readonly System[] =>
    Object.entries(all).map(([name, metrics], index) => ({ name, color: otherColor(first + index), metrics }))
  const systems: readonly System[] = [
    ...(before === undefined ? [] : [{ name: "before", color: "grey", metrics: before, role: "start" } as const]),
    ...named(baselines, 0),
    ...(result === undefined
      ? []
      : [{ name: resultName(outcome), color: "teal", metrics: result, role: "result" } as const]),
    ...named(variants, others),
  ]
  const questions = result?.["n"] ?? systems[0]?.metrics["n"]
  return {
    kind: "figures",
    title: "Figures",
    systems,
    differences: Object.entries(differences).map(([label, values]) => ({ label, values })),
    ...(questions === undefined ? {} : { intro: `${quantity(questions)} evaluation questions.` }),
  }
}

/** Colours beside those of before and after. */
const otherColor = (index: number): Color => lineColor(index + 1)

const resultName = ({ after, latest }: Outcome): string => (after === undefined ? `step ${latest?.step}` : "after")

/**
 * The outcome in one sentence: the first of these figures that there is and that has changed, from what to what; the first
 * one where none has, and undefined where there is none.
 */
export const outcomeSentence = (
  { before, after, latest }: Outcome,
  wanted: readonly string[] = [],
): string | undefined => {
  const result = after ?? latest?.metrics
  if (result === undefined) return undefined
  const names = [...wanted, ...metricNames([result])].filter((each) => result[each] !== undefined)
  const name = names.find((each) => before?.[each] !== result[each]) ?? names[0]
  const [from, to] = name === undefined ? [] : [before?.[name], result[name]]
  if (name === undefined || to === undefined) return undefined
  return from === undefined ? `${name} ${figure(to)}` : `${name} from ${figure(from)} to ${figure(to)}`
}
