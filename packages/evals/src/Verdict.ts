import { type AnswerMetricName, type AnswerReport, compareMetric } from "./AnswerReport.ts"
import type { BootstrapOptions, Interval } from "./Bootstrap.ts"
import { InvalidEvaluation } from "./EvalsError.ts"

/** The four systems that tell apart what retrieval and what training does, from the least to the most of both. */
export const verdictSystems = ["closedBook", "retrievedBefore", "fineTunedWithoutRetrieval", "retrievedAfter"] as const

export type VerdictSystem = (typeof verdictSystems)[number]

const names: Readonly<Record<VerdictSystem, string>> = {
  closedBook: "closed book",
  retrievedBefore: "retrieval before training",
  fineTunedWithoutRetrieval: "fine-tuned without retrieval",
  retrievedAfter: "retrieval after training",
}

/** What one system has over another on the same questions. */
export interface VerdictDifference {
  readonly of: VerdictSystem
  readonly over: VerdictSystem
  /** Of `of` minus `over`, in the metric's own direction. */
  readonly interval: Interval
  /** What `of` is where the interval excludes 0; else `undecided`. */
  readonly outcome: "better" | "worse" | "undecided"
}

/**
 * What data need: the least that is clearly better than the closed book and that nothing is clearly better than.
 * `either` where retrieval alone and fine-tuning alone are both enough; `neither` where nothing is clearly better than the
 * closed book.
 */
export type VerdictNeed = "neither" | "retrieval" | "fineTuning" | "either" | "both"

export interface Verdict {
  readonly metric: AnswerMetricName
  readonly n: number
  readonly systems: Readonly<Record<VerdictSystem, Interval>>
  /** Of all pairs, the system with more of retrieval or training first. */
  readonly differences: readonly VerdictDifference[]
  readonly needs: VerdictNeed
  /** Two sentences, without capital and full stop: what each system reaches, and what the data need and why. */
  readonly words: readonly [reached: string, needed: string]
}

/**
 * Says which of retrieval, fine-tuning and both a data set needs, from the answers of four systems to the same questions:
 * the model as it is (`closedBook`), the same with retrieved passages (`retrievedBefore`), fine-tuned on questions and
 * answers alone (`fineTunedWithoutRetrieval`), and trained with retrieval (`retrievedAfter`).
 *
 * One system is clearly better than another where the paired bootstrap interval of their difference excludes 0. The
 * intervals are of one comparison each: with six of them about one in five sets of four equal systems shows a difference at
 * 95 %; a higher `confidence` asks for more.
 *
 * @param options.metric what decides; default `f1`
 * @throws InvalidEvaluation where a system lacks the metric, or the questions are not the same in the same order
 *
 * @example
 * ```ts
 * import { evaluateAnswers, verdict } from "@tandem/evals"
 *
 * const right = (share: number) =>
 *   evaluateAnswers({
 *     results: Array.from({ length: 50 }, (_, at) => ({
 *       id: `q${at}`,
 *       prediction: at < 50 * share ? "1903" : "1899",
 *       answers: ["1903"],
 *     })),
 *   })
 * const { needs, words } = verdict({
 *   closedBook: right(0.1),
 *   retrievedBefore: right(0.5),
 *   fineTunedWithoutRetrieval: right(0.1),
 *   retrievedAfter: right(0.9),
 * })
 * console.log(needs, words) // both …
 * ```
 */
export const verdict = (
  systems: Readonly<Record<VerdictSystem, AnswerReport>>,
  options: { readonly metric?: AnswerMetricName; readonly bootstrap?: BootstrapOptions } = {},
): Verdict => {
  const { metric = "f1", bootstrap } = options
  const reached = {
    closedBook: intervalOf(systems, "closedBook", metric),
    retrievedBefore: intervalOf(systems, "retrievedBefore", metric),
    fineTunedWithoutRetrieval: intervalOf(systems, "fineTunedWithoutRetrieval", metric),
    retrievedAfter: intervalOf(systems, "retrievedAfter", metric),
  }
  const differences = verdictSystems.flatMap((over, at) =>
    verdictSystems.slice(at + 1).flatMap((of): VerdictDifference[] => {
      const interval = compareMetric(metric, systems[of], systems[over], bootstrap)
      return interval === undefined ? [] : [{ of, over, interval, outcome: outcomeOf(interval, metric) }]
    }),
  )
  const needs = needOf(differences)
  const n = systems.closedBook.metrics.n
  return {
    metric,
    n,
    systems: reached,
    differences,
    needs,
    words: [
      `${metric} over ${n} questions: ${verdictSystems.map((name) => `${names[name]} ${shown(reached[name])}`).join(", ")}`,
      reasonOf(needs, differences),
    ],
  }
}

const intervalOf = (
  systems: Readonly<Record<VerdictSystem, AnswerReport>>,
  name: VerdictSystem,
  metric: AnswerMetricName,
): Interval => {
  const interval = systems[name].intervals[metric]
  if (interval !== undefined) return interval
  throw new InvalidEvaluation({
    message: `the report of \`${name}\` has no ${metric}`,
    field: name,
    expected: metric,
    found: Object.keys(systems[name].intervals).join(", "),
  })
}

const outcomeOf = ({ low, high }: Interval, metric: AnswerMetricName): VerdictDifference["outcome"] => {
  if (low <= 0 && high >= 0) return "undecided"
  return low > 0 === (metric !== "nll") ? "better" : "worse"
}

const differenceOf = (differences: readonly VerdictDifference[], of: VerdictSystem, over: VerdictSystem) =>
  differences.find((difference) => difference.of === of && difference.over === over)

const needOf = (differences: readonly VerdictDifference[]): VerdictNeed => {
  const isBetter = (a: VerdictSystem, b: VerdictSystem): boolean =>
    differenceOf(differences, a, b)?.outcome === "better" || differenceOf(differences, b, a)?.outcome === "worse"
  const helping = verdictSystems.filter((name) => isBetter(name, "closedBook"))
  const enough = helping.filter((name) => !helping.some((other) => isBetter(other, name)))
  if (enough.length === 0) return "neither"
  const fineTuning = enough.includes("fineTunedWithoutRetrieval")
  if (enough.includes("retrievedBefore")) return fineTuning ? "either" : "retrieval"
  return fineTuning ? "fineTuning" : "both"
}

const figure = (value: number): string => value.toFixed(3)
const shown = ({ estimate, low, high }: Interval): string => `${figure(estimate)} (${figure(low)} to ${figure(high)})`

const verbs = { better: "is better than", worse: "is worse than", undecided: "is not clearly better than" } as const

/** Differences in words: `A is better than B by 0.120 (0.050 to 0.190)`. */
const said = (differences: readonly VerdictDifference[], pairs: readonly (readonly [VerdictSystem, VerdictSystem])[]) =>
  pairs
    .flatMap(([of, over]) => differenceOf(differences, of, over) ?? [])
    .map(({ of, over, outcome, interval }) => `${names[of]} ${verbs[outcome]} ${names[over]}: ${shown(interval)}`)
    .join("; ")

const needWords: Readonly<Record<VerdictNeed, string>> = {
  neither: "neither retrieval nor fine-tuning is shown to help on these data",
  retrieval: "these data need retrieval, and no training is shown to add to it",
  fineTuning: "these data need fine-tuning, and retrieval is not shown to add to it",
  either: "these data need retrieval or fine-tuning: either is enough, and both together are not shown to be better",
  both: "these data need both retrieval and fine-tuning",
}

const reasons: Readonly<Record<VerdictNeed, readonly (readonly [VerdictSystem, VerdictSystem])[]>> = {
  neither: [
    ["retrievedBefore", "closedBook"],
    ["fineTunedWithoutRetrieval", "closedBook"],
    ["retrievedAfter", "closedBook"],
  ],
  retrieval: [
    ["retrievedBefore", "closedBook"],
    ["retrievedAfter", "retrievedBefore"],
  ],
  fineTuning: [
    ["fineTunedWithoutRetrieval", "closedBook"],
    ["retrievedAfter", "fineTunedWithoutRetrieval"],
  ],
  either: [
    ["retrievedBefore", "closedBook"],
    ["fineTunedWithoutRetrieval", "closedBook"],
  ],
  both: [
    ["retrievedAfter", "retrievedBefore"],
    ["retrievedAfter", "fineTunedWithoutRetrieval"],
  ],
}

const reasonOf = (needs: VerdictNeed, differences: readonly VerdictDifference[]): string =>
  `${needWords[needs]}: ${said(differences, reasons[needs])}`
