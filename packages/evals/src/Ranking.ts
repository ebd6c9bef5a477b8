import { InvalidEvaluation } from "./EvalsError.ts"
import { type Qrels, type Run, rankDocuments } from "./Trec.ts"

/** The judged ranking of one query, from which every metric below is computed. */
export interface JudgedRanking {
  /** Relevance of the documents as ranked, best first; an unjudged document is 0. */
  readonly ranked: readonly number[]
  /** Relevance of all judged documents of the query, in any order, retrieved or not. */
  readonly judged: readonly number[]
}

const relevantIn = (relevance: readonly number[], end = relevance.length): number => {
  let count = 0
  for (let i = 0; i < Math.min(end, relevance.length); i++) if (relevance[i]! > 0) count++
  return count
}

const discountedGain = (gains: readonly number[], end: number): number => {
  let sum = 0
  for (let i = 0; i < Math.min(end, gains.length); i++) if (gains[i]! > 0) sum += gains[i]! / Math.log2(i + 2)
  return sum
}

/**
 * Normalised discounted cumulative gain, with the relevance itself as gain:
 * `Σ rel_i / log2(i + 1) / Σ ideal_i / log2(i + 1)`, ranks from 1, in 0 to 1; trec_eval's `ndcg`, and with `k` its
 * `ndcg_cut_k`, where the ideal ranking is cut as well. Without a relevant document it is 0.
 *
 * @example
 * ```ts
 * import { ndcg } from "@tandem/evals"
 *
 * console.log(ndcg({ ranked: [0, 0, 1], judged: [1] })) // 0.5
 * ```
 */
export const ndcg = ({ ranked, judged }: JudgedRanking, k = Number.POSITIVE_INFINITY): number => {
  const ideal = discountedGain(
    judged.filter((gain) => gain > 0).sort((a, b) => b - a),
    k,
  )
  return ideal === 0 ? 0 : discountedGain(ranked, k) / ideal
}

/** Average precision: the mean over all relevant documents of the precision at their ranks (0 if not retrieved). */
export const averagePrecision = ({ ranked, judged }: JudgedRanking): number => {
  const relevant = relevantIn(judged)
  let found = 0
  let sum = 0
  ranked.forEach((relevance, index) => {
    if (relevance > 0) sum += ++found / (index + 1)
  })
  return relevant === 0 ? 0 : sum / relevant
}

/** `1 / rank` of the first relevant document; 0 where there is none (among the first `k`). */
export const reciprocalRank = ({ ranked }: JudgedRanking, k = Number.POSITIVE_INFINITY): number => {
  const index = ranked.findIndex((relevance) => relevance > 0)
  return index < 0 || index >= k ? 0 : 1 / (index + 1)
}

/** Share of relevant documents among the first `k`; the denominator is `k` even where fewer were returned. */
export const precisionAt = ({ ranked }: JudgedRanking, k: number): number => relevantIn(ranked, k) / k

/** Share of the relevant documents that stand among the first `k` (trec_eval's recall, not "any gold passage"). */
export const recallAt = ({ ranked, judged }: JudgedRanking, k: number): number => {
  const relevant = relevantIn(judged)
  return relevant === 0 ? 0 : relevantIn(ranked, k) / relevant
}

/** Precision at rank R, where R is the number of relevant documents. */
export const rPrecision = (ranking: JudgedRanking): number => {
  const relevant = relevantIn(ranking.judged)
  return relevant === 0 ? 0 : precisionAt(ranking, relevant)
}

/** Figures under trec_eval's own names: `map`, `Rprec`, `recip_rank`, `ndcg`, `P_5`, `recall_5`, `ndcg_cut_5`, … */
export type RankingFigures = Readonly<Record<string, number>>

export interface RunEvaluation {
  /** One entry a query, in the run's order. */
  readonly perQuery: ReadonlyMap<string, RankingFigures>
  /** `num_q`; sums for `num_ret`, `num_rel`, `num_rel_ret`; means over queries for all else. */
  readonly summary: RankingFigures
}

const trecCutoffs = [5, 10, 15, 20, 30, 100, 200, 500, 1000]

const isCount = (name: string): boolean => name.startsWith("num_")

const figures = (ranking: JudgedRanking, cutoffs: readonly number[]): RankingFigures => {
  const entries: [string, number][] = [
    ["num_ret", ranking.ranked.length],
    ["num_rel", relevantIn(ranking.judged)],
    ["num_rel_ret", relevantIn(ranking.ranked)],
    ["map", averagePrecision(ranking)],
    ["Rprec", rPrecision(ranking)],
    ["recip_rank", reciprocalRank(ranking)],
    ["ndcg", ndcg(ranking)],
  ]
  for (const k of cutoffs)
    entries.push(
      [`P_${k}`, precisionAt(ranking, k)],
      [`recall_${k}`, recallAt(ranking, k)],
      [`ndcg_cut_${k}`, ndcg(ranking, k)],
    )
  return Object.fromEntries(entries)
}

/**
 * Evaluates a run against judgements as trec_eval does.
 *
 * Queries that stand in both are evaluated and averaged; with `complete` (trec_eval's `-c`) every judged query
 * counts and one that the run lacks scores 0. Documents are ordered by `rankDocuments`, unjudged ones are not
 * relevant, relevance of 1 and above is relevant for the binary metrics.
 *
 * @throws InvalidEvaluation where a cutoff is not a positive integer, a score is not finite, or no query is left
 */
export const evaluateRun = (
  qrels: Qrels,
  run: Run,
  options: { readonly cutoffs?: readonly number[]; readonly complete?: boolean } = {},
): RunEvaluation => {
  const { cutoffs = trecCutoffs, complete = false } = options
  requireCutoffs(cutoffs)
  const perQuery = new Map<string, RankingFigures>()
  const evaluate = (query: string, documents: ReadonlyMap<string, number>): void => {
    const judgements = qrels.get(query)
    if (judgements === undefined) return
    for (const [document, score] of documents)
      if (!Number.isFinite(score))
        throw new InvalidEvaluation({
          message: `the score of document ${document} for query ${query} is ${score}`,
          field: "score",
          expected: "a finite number",
          found: String(score),
        })
    const ranked = rankDocuments(documents).map((document) => judgements.get(document) ?? 0)
    perQuery.set(query, figures({ ranked, judged: [...judgements.values()] }, cutoffs))
  }
  for (const [query, documents] of run) evaluate(query, documents)
  if (complete) for (const query of qrels.keys()) if (!run.has(query)) evaluate(query, new Map())
  if (perQuery.size === 0)
    throw new InvalidEvaluation({
      message: "no query of the run has judgements, so there is nothing to average",
      expected: `one of ${qrels.size} judged queries`,
      found: `${run.size} queries in the run`,
      hint: "check that both files use the same query ids",
    })
  return { perQuery, summary: summarise(perQuery) }
}

const summarise = (perQuery: ReadonlyMap<string, RankingFigures>): RankingFigures => {
  const sums: Record<string, number> = {}
  for (const row of perQuery.values())
    for (const [name, value] of Object.entries(row)) sums[name] = (sums[name] ?? 0) + value
  const summary: Record<string, number> = { num_q: perQuery.size }
  for (const [name, sum] of Object.entries(sums)) summary[name] = isCount(name) ? sum : sum / perQuery.size
  return summary
}

/** @throws InvalidEvaluation where a cutoff is not a positive integer */
export const requireCutoffs = (cutoffs: readonly number[]): void => {
  for (const k of cutoffs)
    if (!Number.isInteger(k) || k < 1)
      throw new InvalidEvaluation({
        message: `a cutoff of ${k} counts no documents`,
        field: "cutoffs",
        expected: "positive integers",
        found: String(k),
      })
}
