import { existsSync } from "node:fs"
import type { RetrievalData } from "@tandem/datasets"
import type { Towers } from "@tandem/retriever"
import { Effect, Schema } from "effect"
import { type DprOptions, progressTo } from "./DprEvent.ts"
import { evaluateBm25, evaluateTowers, type Ranked, type SystemResult } from "./Evaluation.ts"
import { onDisk, readJson, runPaths, writeJson } from "./RunFolder.ts"
import type { RetrievalSettings } from "./SearchTowers.ts"
import type { DprSettings } from "./Settings.ts"
import { searchTowers } from "./Towers.ts"

const Rankings = Schema.Array(Schema.Array(Schema.Struct({ id: Schema.String, score: Schema.Number })))
const StoredSystem = Schema.Struct({
  metrics: Schema.Record(Schema.String, Schema.Number),
  perQuestion: Schema.Record(Schema.String, Schema.Array(Schema.Number)),
  /** Of the first questions, for the report's examples. */
  rankings: Rankings,
})
const StoredBaseline = Schema.Struct({ format: Schema.Literal(1), bm25: StoredSystem, before: StoredSystem })

/** What a system scores, question by question, and what it found for the first questions. */
export interface Measured {
  readonly metrics: Readonly<Record<string, number>>
  readonly perQuestion: Readonly<Record<string, readonly number[]>>
  readonly rankings: readonly (readonly Ranked[])[]
}

/** BM25 and the encoder as it was before training. */
export interface Baseline {
  readonly bm25: Measured
  readonly before: Measured
}

/** How many questions the report shows. */
export const exampleQuestions = 12

/** The parts of a result that reports need. */
export const measured = ({ metrics, perQuestion, rankings }: SystemResult): Measured => ({
  metrics: figures(metrics),
  perQuestion: Object.fromEntries(Object.entries(perQuestion).map(([name, values]) => [name, [...(values ?? [])]])),
  rankings: rankings.slice(0, exampleQuestions).map((list) => list.slice(0, 3)),
})

/** The figures that there are. */
export const figures = (metrics: Readonly<Record<string, number | undefined>>): Readonly<Record<string, number>> =>
  Object.fromEntries(Object.entries(metrics).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])))

/** Measures the baselines, once for a run folder: a resumed run reads what the first one wrote. */
export const measureBaseline = Effect.fnUntraced(function* (
  dev: RetrievalData,
  towers: Towers,
  retrieval: RetrievalSettings,
  settings: DprSettings,
  observe: DprOptions["observe"],
) {
  const file = runPaths(settings.out).baseline
  if (settings.resume && existsSync(file)) {
    const stored = yield* readJson(file)
    const baseline: Baseline = yield* onDisk(file, async () => Schema.decodeUnknownSync(StoredBaseline)(stored))
    return baseline
  }
  yield* observe({ event: "phase", name: "measuring BM25" })
  const bm25 = measured(evaluateBm25(dev))
  const progress = progressTo(observe)
  const before = measured(yield* evaluateTowers(searchTowers(towers), dev, retrieval, progress))
  const baseline: Baseline = { bm25, before }
  yield* writeJson(file, { format: 1, ...baseline })
  return baseline
})
