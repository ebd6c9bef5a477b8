import { exactMatch, tokenF1 } from "./Answers.ts"
import {
  type BootstrapOptions,
  bootstrapMean,
  bootstrapRatio,
  type Interval,
  pairedBootstrap,
  pairedBootstrapRatio,
  type Ratio,
} from "./Bootstrap.ts"
import { InvalidEvaluation } from "./EvalsError.ts"
import { rougeL } from "./RougeL.ts"

/** What a system said to one question, and how likely the expected answer was to it; one of the two at least. */
export interface AnswerResult {
  /** Two systems are compared question by question, which the ids make sure of. */
  readonly id: string
  /** What was generated; needs `answers`. */
  readonly prediction?: string
  /** The expected answers, of which the best counts. */
  readonly answers?: readonly string[]
  /** Of the expected answer, end of sequence included: its log-probability in nats, and its tokens. */
  readonly likelihood?: { readonly logprob: number; readonly tokens: number }
}

export type AnswerMetricName = "exactMatch" | "f1" | "rougeL" | "nll"

/**
 * Figures under the names of `report.json`: all in 0 to 1 but `nll`, which is nats a token over all answer tokens of the
 * set, Σ −logprob / Σ tokens. A figure that there are no data for is absent.
 */
export type AnswerMetrics = { readonly n: number } & { readonly [name in AnswerMetricName]?: number }

export interface AnswerReport {
  readonly metrics: AnswerMetrics
  /** Percentile bootstrap intervals of the figures, questions resampled. */
  readonly intervals: { readonly [name in AnswerMetricName]?: Interval }
  /** The values behind each figure, in the questions' order; of `nll` the nats a token of each answer. */
  readonly perQuestion: { readonly [name in AnswerMetricName]?: Float64Array }
  /** Of each answer, where there is `nll`: what its nats a token weigh in the figure. */
  readonly tokens?: Float64Array
  readonly ids: readonly string[]
}

const invalid = (message: string, field: string, expected: string, found: string): InvalidEvaluation =>
  new InvalidEvaluation({ message, field, expected, found })

/** What a field holds for every question; undefined where none has it. */
const column = <A>(
  results: readonly AnswerResult[],
  field: string,
  valueOf: (result: AnswerResult) => A | undefined,
): readonly A[] | undefined => {
  const values = results.flatMap((result) => valueOf(result) ?? [])
  if (values.length === 0) return undefined
  const without = results.find((result) => valueOf(result) === undefined)
  if (without !== undefined)
    throw invalid(
      `question ${without.id} has no ${field}, others do`,
      field,
      "one for each question or for none",
      "none",
    )
  return values
}

const requireLikelihood = ({ id, likelihood }: AnswerResult): void => {
  if (likelihood === undefined) return
  const { logprob, tokens } = likelihood
  if (!Number.isFinite(logprob) || logprob > 0)
    throw invalid(`the log-probability of question ${id} is ${logprob}`, "logprob", "a number up to 0", String(logprob))
  if (!Number.isInteger(tokens) || tokens < 1)
    throw invalid(
      `the answer of question ${id} has ${tokens} tokens`,
      "tokens",
      "a whole number from 1",
      String(tokens),
    )
}

const requireResults = (results: readonly AnswerResult[]): void => {
  if (results.length === 0) throw invalid("there is no question to evaluate", "results", "at least one", "none")
  const ids = new Set<string>()
  for (const result of results) {
    if (ids.has(result.id)) throw invalid(`question ${result.id} stands twice`, "id", "an id for each", result.id)
    ids.add(result.id)
    requireLikelihood(result)
  }
}

/** Nats and tokens of a report's answers, of which `nll` is the ratio. */
const natsOf = (nll: Float64Array, tokens: Float64Array): Ratio => ({
  sums: nll.map((value, index) => value * tokens[index]!),
  counts: tokens,
})

/**
 * The answer figures of Tandem's reports: `exactMatch` and `f1` (SQuAD's, see `exactMatch` and `tokenF1`), `rougeL` for free
 * text, and `nll` where likelihoods are known, each with its bootstrap interval (95 % by default).
 *
 * @param options.bootstrap of the intervals; the same options give the same intervals
 * @throws InvalidEvaluation for no question, an id twice, a prediction without an answer to compare it with, a likelihood
 * that is none, or a field that some questions have and others have not
 *
 * @example
 * ```ts
 * import { compareAnswers, evaluateAnswers } from "@tandem/evals"
 *
 * const said = (...predictions: string[]) =>
 *   evaluateAnswers({ results: predictions.map((prediction, at) => ({ id: `q${at}`, prediction, answers: ["1903"] })) })
 * const before = said("1899", "In 1903")
 * const after = said("1903", "1903.")
 * console.log(after.metrics) // { n: 2, exactMatch: 1, f1: 1, rougeL: 1 }
 * console.log(compareAnswers(after, before).f1) // { estimate: 0.6666666666666667, low: …, high: …, … }
 * ```
 */
export const evaluateAnswers = (options: {
  readonly results: readonly AnswerResult[]
  readonly bootstrap?: BootstrapOptions
}): AnswerReport => {
  const { results, bootstrap } = options
  requireResults(results)
  const said = column(results, "prediction", ({ prediction, answers = [] }) =>
    prediction === undefined ? undefined : { prediction, answers },
  )
  const likelihoods = column(results, "likelihood", ({ likelihood }) => likelihood)
  const score = (metric: (prediction: string, answers: readonly string[]) => number) =>
    said && Float64Array.from(said, ({ prediction, answers }) => metric(prediction, answers))
  const columns = {
    exactMatch: score(exactMatch),
    f1: score(tokenF1),
    rougeL: score(rougeL),
  }
  if (said === undefined && likelihoods === undefined)
    throw invalid("there is nothing to evaluate", "results", "predictions or likelihoods", "neither")
  const tokens = likelihoods && Float64Array.from(likelihoods, (likelihood) => likelihood.tokens)
  const nats = likelihoods && Float64Array.from(likelihoods, ({ logprob }) => -logprob)
  const perQuestion: { [name in AnswerMetricName]?: Float64Array } = {}
  const intervals: { [name in AnswerMetricName]?: Interval } = {}
  for (const name of ["exactMatch", "f1", "rougeL"] as const) {
    const values = columns[name]
    if (values === undefined) continue
    perQuestion[name] = values
    intervals[name] = bootstrapMean(values, bootstrap)
  }
  if (nats !== undefined && tokens !== undefined) {
    perQuestion.nll = nats.map((value, index) => value / tokens[index]!)
    intervals.nll = bootstrapRatio({ sums: nats, counts: tokens }, bootstrap)
  }
  const metrics: { [name in AnswerMetricName]?: number } = {}
  for (const name of answerMetricNames) if (intervals[name] !== undefined) metrics[name] = intervals[name].estimate
  return {
    metrics: { n: results.length, ...metrics },
    intervals,
    perQuestion,
    ...(tokens === undefined ? {} : { tokens }),
    ids: results.map(({ id }) => id),
  }
}

export const answerMetricNames: readonly AnswerMetricName[] = ["exactMatch", "f1", "rougeL", "nll"]

/**
 * The differences `a − b` of two systems' figures on the same questions, each with its paired bootstrap interval. One that
 * excludes 0 is no chance at that confidence. Of `nll` less is better. Figures that one of the two lacks are absent.
 *
 * @throws InvalidEvaluation where the questions are not the same, in the same order
 */
export const compareAnswers = (
  a: AnswerReport,
  b: AnswerReport,
  bootstrap: BootstrapOptions = {},
): { readonly [name in AnswerMetricName]?: Interval } => {
  const differences: { [name in AnswerMetricName]?: Interval } = {}
  for (const name of answerMetricNames) {
    const difference = compareMetric(name, a, b, bootstrap)
    if (difference !== undefined) differences[name] = difference
  }
  return differences
}

/** `compareAnswers` for one figure; undefined where one of the two lacks it. */
export const compareMetric = (
  name: AnswerMetricName,
  a: AnswerReport,
  b: AnswerReport,
  bootstrap: BootstrapOptions = {},
): Interval | undefined => {
  requireSameIds(a.ids, b.ids)
  const [left, right] = [a.perQuestion[name], b.perQuestion[name]]
  if (left === undefined || right === undefined) return undefined
  return name === "nll" && a.tokens !== undefined && b.tokens !== undefined
    ? pairedBootstrapRatio(natsOf(left, a.tokens), natsOf(right, b.tokens), bootstrap)
    : pairedBootstrap(left, right, bootstrap)
}

const requireSameIds = (a: readonly string[], b: readonly string[]): void => {
  const other = a.findIndex((id, index) => id !== b[index])
  if (a.length === b.length && other < 0) return
  throw invalid(
    "a paired comparison needs the same questions in the same order",
    "results",
    a.length === b.length ? `question ${a[other]}` : `${a.length} questions`,
    a.length === b.length ? `question ${b[other]}` : `${b.length} questions`,
  )
}
