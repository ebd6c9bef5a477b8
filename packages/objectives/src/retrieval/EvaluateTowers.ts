import type { Example, Passage, RetrievalData } from "@tandem/datasets"
import { evaluateRetrieval, type RetrievalReport, type RetrievalResult, withoutOwnHit } from "@tandem/evals"
import { encodeAll } from "@tandem/retriever"
import { Bm25, Exact } from "@tandem/store"
import { Effect } from "effect"
import { encodingOf, type RetrievalSettings, type SearchTowers } from "./RetrievalSettings.ts"

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
export const evaluateTowers = Effect.fn("objectives.evaluateTowers")(function* (
  towers: SearchTowers,
  data: RetrievalData,
  settings: RetrievalSettings,
  progress: Progress,
  precision: "fp32" | "q8" = "fp32",
) {
  const passages = [...data.corpus.values()]
  const corpus = yield* encodeAll(towers.passage, passages, {
    ...encodingOf(settings, "passage"),
    kind: "passage",
    precision,
    onProgress: (done, total) => progress("encoding passages", done, total),
  })
  const texts = data.examples.map(({ query }) => query)
  const queries = yield* encodeAll(towers.query, texts, {
    ...encodingOf(settings, "query"),
    kind: "query",
    precision,
    onProgress: (done, total) => progress("encoding questions", done, total),
  })
  const identity = { dimension: corpus.dimension, similarity: "dot", fingerprint: "evaluation" } as const
  const store = yield* Exact.make(identity)
  yield* store.add({ passages, vectors: corpus.vectors, fingerprint: identity.fingerprint })
  const hits = yield* store.search({ vectors: queries.vectors, k: depthFor(data) })
  return evaluateRankings(
    data,
    hits.map((list) => list.map(({ passage, score }) => ({ id: passage.id, score }))),
  )
})

/** BM25 on the same questions and passages. */
export const evaluateBm25 = (data: RetrievalData): SystemResult => {
  const index = Bm25.make(data.corpus.values())
  return evaluateRankings(
    data,
    data.examples.map(({ query }) => index.search(query, depthFor(data))),
  )
}

/** One more than is measured where a question may find itself, which does not count. */
export const depthFor = ({ examples, corpus }: RetrievalData): number =>
  evaluationDepth + (examples.some(({ id, relevance }) => relevance !== undefined && corpus.has(id)) ? 1 : 0)

/**
 * What rankings of the data's corpus are worth; a question's own hit is left out where it does not count. Rankings are cut to
 * what is measured, or to `kept` where that is more.
 */
export const evaluateRankings = (
  data: RetrievalData,
  found: readonly (readonly Ranked[])[],
  kept = evaluationDepth,
): SystemResult => {
  const depth = Math.max(kept, evaluationDepth)
  const golds = data.examples.map(goldOf)
  const rankings = data.examples.map(({ id, relevance }, index) => {
    const ranked = found[index] ?? []
    return (relevance === undefined ? ranked : withoutOwnHit(ranked, id, golds[index]!)).slice(0, depth)
  })
  const results = data.examples.map(
    ({ answers, relevance }: Example, index): RetrievalResult => ({
      ranked: (rankings[index] ?? [])
        .flatMap(({ id }) => data.corpus.get(id) ?? [])
        .map(({ id, text }: Passage) => ({ id, text })),
      gold: golds[index]!,
      answers,
      ...(relevance === undefined ? {} : { relevance }),
    }),
  )
  return { ...evaluateRetrieval({ results }), rankings }
}

/** Passages that answer a question, those included that are judged and not in the corpus: they count as not found. */
export const goldOf = ({ positives, relevance = {} }: Example): ReadonlySet<string> =>
  new Set([...positives, ...Object.keys(relevance).filter((id) => relevance[id]! > 0)])
