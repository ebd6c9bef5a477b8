import type { Passage, RetrievalData } from "@tandem/datasets"
import type { ModelError } from "@tandem/models"
import { type Towers, towerFrom } from "@tandem/retriever"
import { type Measured, type Measurement, type Observe, progressTo, type Weights } from "@tandem/runs"
import type { Runtime } from "@tandem/runtime"
import type { AddError, SearchError } from "@tandem/store"
import { TrainingDiverged } from "@tandem/trainers"
import { Effect } from "effect"
import { evaluateBm25, evaluateTowers, goldOf, type SystemResult } from "./EvaluateTowers.ts"
import { keptRankings, retrievalExamples } from "./RetrievalExamples.ts"
import type { RetrievalSettings, SearchTowers } from "./RetrievalSettings.ts"

/** What a run's retrieval is measured with. */
export interface RetrievalMeasurement {
  readonly dev: RetrievalData
  /** Every passage of the run, for the report's examples. */
  readonly corpus: ReadonlyMap<string, Passage>
  readonly towers: Towers
  readonly retrieval: RetrievalSettings
  readonly observe: Observe
}

/** What measuring retrieval can end in. */
export type RetrievalFailure = ModelError | AddError | SearchError | TrainingDiverged

/**
 * Retrieval on the evaluation examples: their corpus is encoded with the weights of the moment and searched exactly;
 * {@link decidingMetric} decides. Beside it BM25 and, in the report, questions chosen by what training did to them with what each system found.
 *
 * Weights can be finite and too large to embed with: that is `TrainingDiverged`.
 */
export const measureRetrieval = (options: RetrievalMeasurement): Measurement<RetrievalFailure> => {
  const { dev, towers, retrieval, observe } = options
  const measureIn =
    (precision: "fp32" | "q8") =>
    ({ step, weights }: Weights): Effect.Effect<Measured, RetrievalFailure, Runtime> =>
      evaluateTowers(searchTowers(towers, weights), dev, retrieval, progressTo(observe), precision).pipe(
        Effect.map(measured),
        divergedAfter(step),
      )
  return {
    metric: decidingMetric(dev),
    measure: measureIn("fp32"),
    variants: { q8: measureIn("q8") },
    baselines: { bm25: Effect.sync(() => measured(evaluateBm25(dev))) },
    page: {
      headline: ["recall@1", "answerRecall@1"],
      names: { bm25: "BM25" },
      sections: (systems) => [retrievalExamples(options, systems)],
    },
  }
}

/** The figure by which weights are chosen: `mrr@10`, or `answerRecall@5` where answers alone are known. */
export const decidingMetric = ({ examples }: RetrievalData): "mrr@10" | "answerRecall@5" =>
  examples.some((example) => goldOf(example).size > 0) ? "mrr@10" : "answerRecall@5"

/** Embeddings that are not finite after a step are the end of its training. */
export const divergedAfter =
  (step: number) =>
  <A, E extends { readonly _tag: string }, R>(
    effect: Effect.Effect<A, E, R>,
  ): Effect.Effect<A, E | TrainingDiverged, R> =>
    Effect.mapError(effect, (error) =>
      error._tag === "InvalidVector"
        ? new TrainingDiverged({
            message: `training diverged: after step ${step} ${"message" in error ? error.message : "embeddings are not finite"}`,
            step,
            ...("found" in error && typeof error.found === "string" ? { found: error.found } : {}),
            hint: "lower the learning rate or clip harder; earlier checkpoints are intact",
          })
        : error,
    )

/** The two towers that search, with weights out of the joint program or, without any, those that were loaded. */
export const searchTowers = (towers: Towers, weights?: Weights["weights"]): SearchTowers => ({
  query: towerFrom(towers, "query", weights),
  passage: towerFrom(towers, "passage", weights),
})

/** The parts of a result that a run keeps. */
export const measured = ({ metrics, perQuestion, rankings }: SystemResult): Measured => ({
  metrics: figures(metrics),
  perQuestion: Object.fromEntries(Object.entries(perQuestion).map(([name, values]) => [name, [...(values ?? [])]])),
  shown: keptRankings(rankings),
})

/** The figures that there are. */
export const figures = (metrics: Readonly<Record<string, number | undefined>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(metrics).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))
