import type { Passage, RetrievalData } from "@tandem/datasets"
import type { RetrievalMetrics } from "@tandem/evals"
import { encodeAll, type Tower } from "@tandem/retriever"
import { type Observe, progressTo } from "@tandem/runs"
import { type EmbeddedStoreShape, Exact, type KnowledgeStoreShape } from "@tandem/store"
import { Effect } from "effect"
import { preparedPassage, preparedQuestion } from "../ralt/PrepareQuestion.ts"
import { depthFor, evaluateRankings, goldOf } from "./EvaluateTowers.ts"
import { figures } from "./MeasureRetrieval.ts"
import { encodingOf, type RetrievalSettings } from "./RetrievalSettings.ts"

/** Which questions are searched for, and how. */
export interface SearchedDev {
  readonly dev: RetrievalData
  /** All passages, for those that answer. */
  readonly corpus: ReadonlyMap<string, Passage>
  readonly retrieval: RetrievalSettings
  /** Passages that are needed of each question; more are searched where the figures ask for them. */
  readonly k: number
  /** The index that training searches, where what is searched has vectors of the moment. */
  readonly inUse?: KnowledgeStoreShape | undefined
  readonly observe: Observe
}

/**
 * What a query encoder finds in a store for the evaluation questions: figures of retrieval with, as `distinct`, the share of
 * different passages among the first ones found; and the questions with their passages, best first. An index in use that
 * has other vectors is searched as well, for `inUse.recall@1` and `inUse.mrr@10`: how far they lie below tells its age.
 */
export const searchDev = Effect.fnUntraced(function* (
  query: Tower,
  store: KnowledgeStoreShape,
  { dev, corpus, retrieval, k, inUse, observe }: SearchedDev,
) {
  const progress = progressTo(observe)
  const { vectors } = yield* encodeAll(
    query,
    dev.examples.map((example) => example.query),
    {
      ...encodingOf(retrieval, "query"),
      kind: "query",
      onProgress: (done, total) => progress("encoding questions", done, total),
    },
  )
  const found = (searched: KnowledgeStoreShape) =>
    Effect.map(searched.search({ vectors, k: Math.max(k, depthFor(dev)) }), (hits) => {
      // The store may hold more than the questions bring: what was found is judged by its own text.
      const byId = new Map(hits.flat().map(({ passage }) => [passage.id, passage]))
      const ranked = hits.map((list) => list.map(({ passage, score }) => ({ id: passage.id, score })))
      return { byId, ...evaluateRankings({ ...dev, corpus: new Map([...dev.corpus, ...byId]) }, ranked, k) }
    })
  const { byId, metrics, perQuestion, rankings } = yield* found(store)
  const aged = inUse === undefined ? {} : agedFigures((yield* found(inUse)).metrics)
  const questions = dev.examples.map((example, index) => {
    const gold = goldOf(example)
    const passages = rankings[index]!.flatMap(({ id, score }) => {
      const passage = byId.get(id)
      return passage === undefined ? [] : [preparedPassage(passage, gold, score)]
    })
    return preparedQuestion(example, passages, corpus)
  })
  const first = new Set(questions.flatMap(({ passages: [best] }) => best?.id ?? []))
  const most = rankings.filter((ranking) => ranking.length > 0).length
  const told: Readonly<Record<string, number>> = {
    ...figures(metrics),
    ...aged,
    ...(most === 0 ? {} : { distinct: first.size / most }),
  }
  return {
    metrics: told,
    perQuestion: Object.fromEntries(Object.entries(perQuestion).map(([name, values]) => [name, [...(values ?? [])]])),
    rankings,
    questions,
  }
})

const agedFigures = (metrics: RetrievalMetrics): Readonly<Record<string, number>> =>
  figures({ "inUse.recall@1": metrics["recall@1"], "inUse.mrr@10": metrics["mrr@10"] })

/** The passages of a store with the vectors that a passage encoder gives them at the moment. */
export const encodedAnew = Effect.fnUntraced(function* (
  store: EmbeddedStoreShape,
  passage: Tower,
  { retrieval, observe }: Pick<SearchedDev, "retrieval" | "observe">,
) {
  const progress = progressTo(observe)
  const { identity, passages } = yield* store.contents
  const { vectors } = yield* encodeAll(passage, passages, {
    ...encodingOf(retrieval, "passage"),
    kind: "passage",
    onProgress: (done, total) => progress("encoding passages", done, total),
  })
  const fresh = yield* Exact.make(identity)
  yield* fresh.replace({ identity, passages, vectors })
  return fresh
})
