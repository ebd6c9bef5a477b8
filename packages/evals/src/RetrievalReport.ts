import { hasAnswer, type PreparedText, prepareText } from "./AnswerRecall.ts"
import { InvalidEvaluation } from "./EvalsError.ts"
import { ndcg, reciprocalRank, requireCutoffs } from "./Ranking.ts"

/** What was retrieved for one question, best first, and what would have been right. */
export interface RetrievalResult {
  readonly ranked: readonly { readonly id: string; readonly text: string }[]
  /** Ids of the gold passages, retrievable or not; empty where only answers are known. */
  readonly gold: ReadonlySet<string>
  /** Graded judgements by passage id, where there are any: the gains of `ndcg`. Gold passages without one have grade 1. */
  readonly relevance?: Readonly<Record<string, number>>
  /** Answer strings; empty where only gold passages are known. */
  readonly answers: readonly string[]
}

export type RetrievalMetricName = `recall@${number}` | `answerRecall@${number}` | "mrr@10" | "ndcg@10"

/** Figures in 0 to 1 under the names of `report.json`; a figure that no question has the data for is absent. */
export type RetrievalMetrics = { readonly n: number } & { readonly [name in RetrievalMetricName]?: number }

export interface RetrievalReport {
  readonly metrics: RetrievalMetrics
  /**
   * The values behind each figure, in the questions' order: questions with a gold passage for `recall`, `mrr` and
   * `ndcg`, questions with an answer for `answerRecall`. Two systems on the same questions align, as
   * `pairedBootstrap` needs it.
   */
  readonly perQuestion: { readonly [name in RetrievalMetricName]?: Float64Array }
}

const depth = 10

const judgementsOf = ({ gold, relevance = {} }: RetrievalResult): ReadonlyMap<string, number> =>
  new Map([...Array.from(gold, (id): [string, number] => [id, 1]), ...Object.entries(relevance)])

const goldFigures = (result: RetrievalResult, ks: readonly number[]): readonly [RetrievalMetricName, number][] => {
  const judgements = judgementsOf(result)
  const seen = new Set<string>()
  const ranked = result.ranked.map(({ id }) => {
    const grade = seen.has(id) ? 0 : (judgements.get(id) ?? 0)
    seen.add(id)
    return grade
  })
  const ranking = { ranked, judged: [...judgements.values()] }
  const first = ranked.findIndex((grade) => grade > 0)
  return [
    ...ks.map((k): [RetrievalMetricName, number] => [`recall@${k}`, first >= 0 && first < k ? 1 : 0]),
    [`mrr@${depth}`, reciprocalRank(ranking, depth)],
    [`ndcg@${depth}`, ndcg(ranking, depth)],
  ]
}

const answerFigures = (
  result: RetrievalResult,
  ks: readonly number[],
  holds: (text: string) => boolean,
): readonly [RetrievalMetricName, number][] => {
  const first = result.ranked.slice(0, Math.max(...ks)).findIndex(({ text }) => holds(text))
  return ks.map((k) => [`answerRecall@${k}`, first >= 0 && first < k ? 1 : 0])
}

/**
 * The retrieval figures of Tandem's reports: `recall@k` (is a gold passage among the first k?), `answerRecall@k`
 * (does one of the first k hold an answer, `hasAnswer`?), `mrr@10`, and `ndcg@10`, whose gains are the grades where
 * judgements are graded (trec_eval's `ndcg_cut_10`); the others take any grade above 0 as relevant. A passage that is
 * returned twice counts once.
 *
 * @param options.ks cutoffs of the two recalls; default 1, 5, 20
 * @param options.answerMode as in `hasAnswer`
 * @throws InvalidEvaluation for no question or a bad cutoff; InvalidPattern in `regex` mode
 *
 * @example
 * ```ts
 * import { evaluateRetrieval } from "@tandem/evals"
 *
 * const ranked = [{ id: "p2", text: "…" }, { id: "p1", text: "…" }]
 * const { metrics } = evaluateRetrieval({ results: [{ ranked, gold: new Set(["p1"]), answers: [] }] })
 * console.log(metrics["recall@1"], metrics["recall@5"], metrics["mrr@10"]) // 0 1 0.5
 * ```
 */
export const evaluateRetrieval = (options: {
  readonly results: readonly RetrievalResult[]
  readonly ks?: readonly number[]
  readonly answerMode?: "string" | "regex"
}): RetrievalReport => {
  const { results, ks = [1, 5, 20], answerMode = "string" } = options
  requireCutoffs(ks)
  if (results.length === 0 || ks.length === 0)
    throw new InvalidEvaluation({
      message: "there is nothing to evaluate",
      field: results.length === 0 ? "results" : "ks",
      expected: "at least one",
      found: "none",
    })
  const prepared = new Map<string, PreparedText>()
  const prepare = (text: string): PreparedText => {
    const known = prepared.get(text) ?? prepareText(text)
    prepared.set(text, known)
    return known
  }
  const values = new Map<RetrievalMetricName, number[]>()
  for (const result of results) {
    const figures = [
      ...(result.gold.size > 0 ? goldFigures(result, ks) : []),
      ...(result.answers.length > 0
        ? answerFigures(result, ks, (text) => hasAnswer(prepare(text), result.answers, answerMode))
        : []),
    ]
    for (const [name, value] of figures) {
      const column = values.get(name) ?? []
      column.push(value)
      values.set(name, column)
    }
  }
  const metrics: { [name in RetrievalMetricName]?: number } = {}
  const perQuestion: { [name in RetrievalMetricName]?: Float64Array } = {}
  for (const [name, column] of values) {
    metrics[name] = column.reduce((sum, value) => sum + value, 0) / column.length
    perQuestion[name] = Float64Array.from(column)
  }
  return { metrics: { n: results.length, ...metrics }, perQuestion }
}
