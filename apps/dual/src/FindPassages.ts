import type { Example, Passage } from "@tandem/datasets"
import { withoutOwnHit } from "@tandem/evals"
import { encodingOf, goldOf, type PreparedPassage, preparedPassage } from "@tandem/objectives"
import { openRetriever } from "@tandem/objectives/node/OpenRetriever"
import type { FoundBy } from "@tandem/objectives/node/PreparedFile"
import { encodeAll, fingerprint, makeTextEncoder, openIndex } from "@tandem/retriever"
import { InvalidRunError, progressTo, type RunOptions, SettingsError } from "@tandem/runs"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Bm25, type EmbeddedStoreShape, Exact } from "@tandem/store"
import { holdsStore, nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect, Option } from "effect"

/** Where passages come from. */
export interface PassageSource {
  readonly passages?: "bm25" | "retriever" | "data"
  readonly retriever?: string
  readonly store?: string
  readonly corpus?: string
}

/** What finds passages, by the settings: the one that they name, else a retriever where there is one, else BM25. */
export const sourceKind = ({ passages, retriever }: PassageSource): "bm25" | "retriever" | "data" =>
  passages ?? (retriever === undefined ? "bm25" : "retriever")

/**
 * Finds the `k` best passages of questions: by BM25 or a trained retriever over the data's corpus, by a retriever in its
 * index, or the passages that the examples themselves name. Lives as long as the scope.
 */
export const makeFinder = Effect.fnUntraced(function* (
  source: PassageSource,
  corpus: ReadonlyMap<string, Passage>,
  { observe }: Pick<RunOptions, "observe">,
) {
  const kind = sourceKind(source)
  if (kind === "data") return { foundBy: { kind } satisfies FoundBy, find: namedPassages(corpus) }
  if (kind === "retriever" && source.retriever !== undefined) {
    return yield* retrieverFinder({ ...source, retriever: source.retriever }, corpus, { observe })
  }
  if (corpus.size === 0) {
    return yield* new SettingsError({
      message: "the questions bring no passages to search",
      field: "corpus",
      expected: "passages",
      found: "none",
      hint: "name the passages with `corpus`, or a trained `retriever` with its index",
    })
  }
  yield* observe({ event: "phase", name: "indexing passages" })
  const index = Bm25.make(corpus.values())
  return {
    foundBy: { kind: "bm25" } satisfies FoundBy,
    find: (questions: readonly Example[], k: number) =>
      Effect.sync(() =>
        questions.map((question) =>
          firstOf(
            question,
            index.search(question.query, k + 1).map(({ id, score }) => ({ passage: corpus.get(id)!, score })),
            k,
          ),
        ),
      ),
  }
})

const retrieverFinder = Effect.fnUntraced(function* (
  { retriever, store: folder, corpus: named }: PassageSource & { readonly retriever: string },
  corpus: ReadonlyMap<string, Passage>,
  { observe }: Pick<RunOptions, "observe">,
) {
  yield* observe({ event: "phase", name: "opening the retriever" })
  const { towers, retrieval } = yield* openRetriever(retriever)
  const passage = { passage: towers.passage, ...encodingOf(retrieval, "passage") }
  const indexed = folder ?? runPaths(retriever).store
  const isIndexed = yield* holdsStore(indexed)
  const open = Effect.map(
    openIndex(passage, (expected) => Exact.open(nodeFolder(indexed), expected)),
    ({ store }) => store,
  )
  const sameCorpus = Effect.map(Effect.option(Effect.flatMap(open, sameAs(corpus))), Option.getOrUndefined)
  const known = isIndexed ? yield* named === undefined ? open : sameCorpus : undefined
  const store = known ?? (yield* encodedStore(retriever, passage, corpus, observe))
  const encoder = yield* makeTextEncoder(towers.query, encodingOf(retrieval, "query"))
  const hashes = [
    yield* fingerprint(towers.query, encodingOf(retrieval, "query")),
    yield* fingerprint(towers.passage, encodingOf(retrieval, "passage")),
  ]
  return {
    foundBy: {
      kind: "retriever",
      fingerprint: [...new Set(hashes)].join("+"),
      temperature: retrieval.temperature,
    } satisfies FoundBy,
    find: Effect.fnUntraced(function* (questions: readonly Example[], k: number) {
      yield* observe({ event: "phase", name: "finding passages" })
      const vectors = yield* encoder.encode(
        questions.map(({ query }) => query),
        "query",
      )
      const hits = yield* store.search({ vectors, k: k + 1 })
      return questions.map((question, index) => firstOf(question, hits[index]!, k))
    }),
  }
})

/** A store, where it holds just these passages: an index that a run has of its corpus already. */
const sameAs = (corpus: ReadonlyMap<string, Passage>) => (store: EmbeddedStoreShape) =>
  Effect.map(store.contents, ({ passages }) => {
    const isSame = ({ id, text, title }: Passage): boolean =>
      corpus.get(id)?.text === text && corpus.get(id)?.title === title
    return passages.length === corpus.size && passages.every(isSame) ? store : undefined
  })

const encodedStore = Effect.fnUntraced(function* (
  run: string,
  { passage, ...encoding }: { readonly passage: Parameters<typeof encodeAll>[0] } & ReturnType<typeof encodingOf>,
  corpus: ReadonlyMap<string, Passage>,
  observe: RunOptions["observe"],
) {
  if (corpus.size === 0) {
    return yield* new InvalidRunError({
      message: `${run} holds no index, and the questions bring no passages`,
      file: run,
      field: "retriever",
      expected: "an index of passages, or `corpus`",
    })
  }
  const passages = [...corpus.values()]
  const progress = progressTo(observe)
  const { vectors, dimension } = yield* encodeAll(passage, passages, {
    ...encoding,
    kind: "passage",
    onProgress: (done, total) => progress("encoding passages", done, total),
  })
  const store = yield* Exact.make({ dimension, similarity: "dot", fingerprint: "passages" })
  yield* store.add({ passages, vectors, fingerprint: "passages" })
  return store
})

/** The first `k`, without the question itself where it is a passage, marked where the data say that they answer. */
const firstOf = (
  question: Example,
  hits: readonly { readonly passage: Passage; readonly score: number }[],
  k: number,
): readonly PreparedPassage[] => {
  const gold = goldOf(question)
  const named = hits.map(({ passage, score }) => ({ id: passage.id, passage, score }))
  const others = question.relevance === undefined ? named : withoutOwnHit(named, question.id, gold)
  return others.slice(0, k).map(({ passage, score }) => preparedPassage(passage, gold, score))
}

/** The passages that questions name, those that answer first; scores are places from behind. */
const namedPassages = (corpus: ReadonlyMap<string, Passage>) => (questions: readonly Example[], k: number) =>
  Effect.sync(() =>
    questions.map((question) => {
      const gold = goldOf(question)
      const ids = [...question.positives, ...question.negatives].slice(0, k)
      return ids.flatMap((id, place) => {
        const passage = corpus.get(id)
        return passage === undefined ? [] : [preparedPassage(passage, gold, -place)]
      })
    }),
  )
