import type { Passage, RetrievalData } from "@tandem/datasets"
import type { Measured, Measurement, Observe, RunServices, Weights } from "@tandem/runs"
import { progressTo } from "@tandem/runs"
import type { EmbeddedStoreShape } from "@tandem/store"
import { Effect } from "effect"
import type { JointModels } from "../joint/JointModels.ts"
import type { PreparedQuestion } from "../ralt/PreparedQuestion.ts"
import { decidingMetric, divergedAfter, type RetrievalFailure, searchTowers } from "../retrieval/MeasureRetrieval.ts"
import { keptRankings, retrievalExamples } from "../retrieval/RetrievalExamples.ts"
import type { RetrievalSettings } from "../retrieval/RetrievalSettings.ts"
import { encodedAnew, searchDev } from "../retrieval/SearchDev.ts"
import { taughtCharts } from "../retrieval/SearchPage.ts"
import type { ScorePairs } from "./Teacher.ts"

/** What the training of a retriever by a teacher is measured with. */
export interface LsrMeasurement<E> {
  readonly towers: JointModels["towers"]
  readonly dev: RetrievalData
  /** All passages, for those that answer. */
  readonly corpus: ReadonlyMap<string, Passage>
  /** What is searched; where passages are live, its passages with the vectors of the moment. */
  readonly store: EmbeddedStoreShape
  readonly passages: "frozen" | "live"
  readonly retrieval: RetrievalSettings
  /** The teacher, which says how likely answers are with the best passage; absent where there is none at hand. */
  readonly score?: ScorePairs<E> | undefined
  /** Questions whose answers it scores, the first ones. */
  readonly scored: number
  readonly observe: Observe
}

/**
 * Retrieval on the evaluation questions, and as `retrieved.nll` nats a token of their answers under the teacher with the best
 * passage alone. {@link decidingMetric} decides which weights are kept.
 */
export const measureLsr = <E extends { readonly _tag: string }>(
  options: LsrMeasurement<E>,
): Measurement<E | RetrievalFailure> => ({
  metric: decidingMetric(options.dev),
  measure: (weights) => measureWith(weights, options),
  baselines: {},
  page: {
    headline: ["recall@1", "answerRecall@1", "retrieved.nll"],
    charts: taughtCharts,
    sections: (systems) => [retrievalExamples(options, systems)],
  },
})

const measureWith = Effect.fnUntraced(function* <E extends { readonly _tag: string }>(
  { step, weights }: Weights,
  options: LsrMeasurement<E>,
): Effect.fn.Return<Measured, E | RetrievalFailure, RunServices> {
  const { towers, store, passages, score, scored } = options
  const { query, passage } = searchTowers(towers, weights)
  const searched = yield* (passages === "frozen" ? Effect.succeed(store) : encodedAnew(store, passage, options)).pipe(
    divergedAfter(step),
  )
  const inUse = searched === store ? undefined : store
  const { metrics, perQuestion, rankings, questions } = yield* searchDev(query, searched, {
    ...{ ...options, k: 1, inUse },
  }).pipe(divergedAfter(step))
  const shown = keptRankings(rankings)
  if (score === undefined || scored === 0) return { metrics, perQuestion, shown }
  const nll = yield* answersUnder(score, questions.slice(0, scored), options.observe)
  return {
    metrics: { ...metrics, ...nll.metrics },
    perQuestion: { ...perQuestion, "retrieved.nll": nll.perQuestion },
    shown,
  }
})

/** Nats a token of the expected answers with the first passage that was found; of each question as well. */
const answersUnder = Effect.fnUntraced(function* <E>(
  score: ScorePairs<E>,
  questions: readonly PreparedQuestion[],
  observe: Observe,
) {
  const progress = progressTo(observe)
  const pairs = questions.map(({ query, answer, passages: [best] }) => ({
    query,
    answer,
    contexts: best === undefined ? [] : [{ title: best.title, text: best.text }],
  }))
  const { scores } = yield* score(pairs, (done, total) => progress("scoring answers", done, total))
  const tokens = scores.reduce((sum, each) => sum + each.tokens, 0)
  const nats = scores.reduce((sum, each) => sum - each.logprob, 0)
  return {
    metrics: tokens === 0 ? {} : { "retrieved.nll": Math.max(0, nats / tokens) },
    perQuestion: scores.map((each) => Math.max(0, -each.logprob / each.tokens)),
  }
})
