import type { Example } from "@tandem/datasets"
import type { Prompts } from "@tandem/generator"
import type { ModelError } from "@tandem/models"
import { answerOf, encodingOf, goldOf, type TaughtHit, type TaughtQuestion, type Teach } from "@tandem/objectives"
import type { RetrievalSettings } from "@tandem/objectives/retrieval/RetrievalSettings"
import { makeRetrieve, type Towers } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import type { EmbeddedStoreShape, Hit, SearchError } from "@tandem/store"
import { Effect } from "effect"

/** What questions are to a teacher. */
export const taughtQuestions = (examples: readonly Example[]): readonly TaughtQuestion[] =>
  examples.map((example) => ({
    id: example.id,
    query: example.query,
    answer: answerOf(example) ?? "",
    gold: goldOf(example),
    ...(example.weight === undefined ? {} : { weight: example.weight }),
  }))

/** What may stand for prompts where nobody is asked: everything fits. */
export const anyPrompts: Pick<Prompts, "prompt" | "answer"> = {
  prompt: () => ({ ids: [], cut: 0, contexts: 0 }),
  answer: () => ({ ids: [] }),
}

/** Passages of a store as hits, by id, with their vectors where they lie. */
export const storedHits = Effect.fnUntraced(function* (store: EmbeddedStoreShape) {
  const { passages, vectors, identity } = yield* store.contents
  const width = identity.dimension
  const places = new Map(passages.map(({ id }, index) => [id, index]))
  return (id: string): Hit | undefined => {
    const place = places.get(id)
    return place === undefined
      ? undefined
      : { passage: passages[place]!, score: 0, vector: vectors.subarray(place * width, (place + 1) * width) }
  }
})

/** Questions that are searched for at once. */
const together = 256

/**
 * The candidates of questions as the weights before training find them, and what a teacher says of each: once, for all
 * epochs. Vectors are not copied.
 */
export const findOnce = Effect.fnUntraced(function* <E, R>(
  { towers, retrieval, store, k }: SearchOnce,
  questions: readonly TaughtQuestion[],
  teach: Teach<E, R>,
  progress: (name: string, done: number, total: number) => void,
): Effect.fn.Return<ReadonlyMap<TaughtQuestion, readonly TaughtHit[]>, E | ModelError | SearchError, R | Runtime> {
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const search = yield* makeRetrieve({ towers, store, ...encodingOf(retrieval, "query") })
      const stored = yield* storedHits(store)
      const found: (readonly Hit[])[] = []
      for (let start = 0; start < questions.length; start += together) {
        progress("finding candidates", start, questions.length)
        const some = questions.slice(start, start + together).map(({ query }) => query)
        const hits = yield* search({}, some, k)
        found.push(...hits.map((list) => list.map((hit) => ({ ...hit, ...stored(hit.passage.id), score: hit.score }))))
      }
      const { hits } = yield* teach(questions, found, (done, total) => progress("scoring candidates", done, total))
      return new Map(questions.map((question, index) => [question, hits[index] ?? []]))
    }),
  )
})

/** What is searched, and by what. */
export interface SearchOnce {
  readonly towers: Towers
  readonly retrieval: RetrievalSettings
  readonly store: EmbeddedStoreShape
  readonly k: number
}
