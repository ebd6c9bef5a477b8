import type { Example, Passage, RetrievalData } from "@tandem/datasets"
import { evaluateRetrieval, type RetrievalReport, type RetrievalResult } from "@tandem/evals"
import { encodeAll } from "@tandem/retriever"
import { Bm25, Exact } from "@tandem/store"
import { Effect } from "effect"
import type { RetrievalSettings, SearchTowers } from "./SearchTowers.ts"

/** A passage that was retrieved. */
export interface Ranked {
  readonly id: string
  readonly score: number
}

/** Results of one system on a set of questions, and what they are worth. */
export interface SystemResult extends RetrievalReport {
  /** The first passages for each question, best first. */
  readonly rankings: readonly (readonly Ranked[])[]
}

/** How many passages are retrieved for an evaluation. */
export const evaluationDepth = 20

type Progress = (name: string, done: number, total: number) => void

/** Encodes the corpus and the questions, searches exactly, and measures. */
export const evaluateTowers = Effect.fn("dpr.evaluateTowers")(function* (
  towers: SearchTowers,
  data: RetrievalData,
  settings: RetrievalSettings,
  progress: Progress,
) {
  const passages = [...data.corpus.values()]
  const corpus = yield* encodeAll(towers.passage, passages, {
    ...settings,
    kind: "passage",
    onProgress: (done, total) => progress("encoding passages", done, total),
  })
  const texts = data.examples.map(({ query }) => query)
  const queries = yield* encodeAll(towers.query, texts, {
    ...settings,
    kind: "query",
    onProgress: (done, total) => progress("encoding questions", done, total),
  })
  const identity = { dimension: corpus.dimension, similarity: "dot", fingerprint: "evaluation" } as const
  const store = yield* Exact.make(identity)
  yield* store.add({ passages, vectors: corpus.vectors, fingerprint: identity.fingerprint })
  const hits = yield* store.search({ vectors: queries.vectors, k: evaluationDepth })
  return measure(
    data,
    hits.map((list) => list.map(({ passage, score }) => ({ id: passage.id, score }))),
  )
})

/** BM25 on the same questions and passages. */
export const evaluateBm25 = (data: RetrievalData): SystemResult => {
  const index = Bm25.make(data.corpus.values())
  return measure(
    data,
    data.examples.map(({ query }) => index.search(query, evaluationDepth)),
  )
}

const measure = (data: RetrievalData, rankings: readonly (readonly Ranked[])[]): SystemResult => {
  const results = data.examples.map(
    ({ positives, answers }: Example, index): RetrievalResult => ({
      ranked: (rankings[index] ?? [])
        .flatMap(({ id }) => data.corpus.get(id) ?? [])
        .map(({ id, text }: Passage) => ({ id, text })),
      gold: new Set(positives),
      answers,
    }),
  )
  return { ...evaluateRetrieval({ results }), rankings }
}
