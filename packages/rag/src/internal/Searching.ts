import type { Encoded, ModelError } from "@tandem/models"
import { encodingOf } from "@tandem/objectives/retrieval/RetrievalSettings"
import { makeTextEncoder, type TextEncoder, tokenizeTexts } from "@tandem/retriever"
import { Runtime } from "@tandem/runtime"
import type { SearchError } from "@tandem/store"
import { Effect, Scope } from "effect"
import { InvalidAskError, type RagError } from "../Errors.ts"
import type { FoundPassage, KnowledgeSource } from "../KnowledgeSource.ts"
import { isSource, type Knowledge, type Searched } from "../RagParts.ts"
import type { EmbedAs, RagSystem, TokenizedTexts } from "../RagSystem.ts"
import { makeBatcher } from "./Batcher.ts"

/** Finds passages and embeds texts. */
export interface Searching extends Pick<RagSystem, "embed" | "tokenize"> {
  readonly search: (
    questions: readonly string[],
    k: number,
  ) => Effect.Effect<readonly (readonly FoundPassage[])[], RagError>
}

/** Most texts that one caller puts into a batch, so that others find a place beside them. */
const slice = 32

/** Most texts of one batch: several runs of the encoder. */
const most = 64

/** Searches a knowledge source as it stands, and an index with questions that are encoded in batches. */
export const makeSearching = (knowledge: Knowledge) =>
  isSource(knowledge) ? Effect.succeed(overSource(knowledge)) : overStore(knowledge)

const overSource = (source: KnowledgeSource): Searching => {
  const refused = Effect.fail(
    new InvalidAskError({
      message: `passages come from ${source.name}, which encodes nothing`,
      field: "model",
      expected: "a system with an encoder",
      found: "a knowledge source",
    }),
  )
  return { search: source.search, embed: () => refused, tokenize: () => refused }
}

/** A text that is encoded, and searched for where `k` says how many passages. */
interface Asked {
  readonly text: Encoded
  readonly k: number
}

interface Embedded {
  readonly vector: Float32Array
  readonly found: readonly FoundPassage[]
}

const overStore = Effect.fnUntraced(function* ({
  query,
  passage,
  retrieval,
  store,
}: Searched): Effect.fn.Return<Searching, ModelError, Runtime | Scope.Scope> {
  const scope = yield* Scope.Scope
  const runtime = yield* Runtime
  const sides = { query: encodingOf(retrieval, "query"), passage: encodingOf(retrieval, "passage") }
  const queries = yield* makeTextEncoder(query, sides.query)
  const isShared = query === passage && sides.query.maxLength === sides.passage.maxLength
  // The passages' own tower runs where texts are embedded as passages alone.
  const passages = isShared
    ? Effect.succeed(queries)
    : yield* Effect.cached(
        makeTextEncoder(passage, sides.passage).pipe(
          Effect.provideService(Runtime, runtime),
          Scope.provide(scope),
          Effect.uninterruptible,
        ),
      )
  const rowsOf = (encoder: TextEncoder, texts: readonly Encoded[]) =>
    Effect.map(encoder.encodeTokens(texts), (vectors) =>
      texts.map((_, row) => vectors.slice(row * encoder.dimension, (row + 1) * encoder.dimension)),
    )
  const runQueries = Effect.fnUntraced(function* (
    asked: readonly Asked[],
  ): Effect.fn.Return<readonly Embedded[], ModelError | SearchError> {
    const vectors = yield* rowsOf(
      queries,
      asked.map(({ text }) => text),
    )
    const searched = [...asked.keys()].filter((index) => asked[index]!.k > 0)
    const found = new Map<number, readonly FoundPassage[]>()
    if (searched.length > 0) {
      const joined = new Float32Array(searched.length * queries.dimension)
      for (const [row, index] of searched.entries()) joined.set(vectors[index]!, row * queries.dimension)
      const k = Math.max(...searched.map((index) => asked[index]!.k))
      const hits = yield* store.search({ vectors: joined, k })
      for (const [row, index] of searched.entries()) found.set(index, hits[row]!.slice(0, asked[index]!.k))
    }
    return vectors.map((vector, index) => ({ vector, found: found.get(index) ?? [] }))
  })
  const askQuery = yield* makeBatcher<Asked, Embedded, ModelError | SearchError>({ most, run: runQueries })
  const askPassage = yield* makeBatcher<Encoded, Float32Array, ModelError>({
    most,
    run: (texts) => Effect.flatMap(passages, (encoder) => rowsOf(encoder, texts)),
  })
  const inSlices = Effect.fnUntraced(function* <A, B, E>(items: readonly A[], ask: (item: A) => Effect.Effect<B, E>) {
    const results: B[] = []
    for (let start = 0; start < items.length; start += slice)
      results.push(...(yield* Effect.forEach(items.slice(start, start + slice), ask, { concurrency: "unbounded" })))
    return results
  })
  // While a batch runs, so that the next one finds its texts ready.
  const read = (texts: readonly string[], as: EmbedAs) =>
    tokenizeTexts((as === "query" ? query : passage).encoder, texts, as, sides[as])
  const embedded = (texts: readonly Encoded[], as: EmbedAs) =>
    as === "query"
      ? inSlices(texts, (text) => Effect.map(askQuery({ text, k: 0 }), ({ vector }) => vector))
      : inSlices(texts, askPassage)
  return {
    search: (questions, k) =>
      Effect.flatMap(read(questions, "query"), (texts) =>
        inSlices(texts, (text) => Effect.map(askQuery({ text, k }), ({ found }) => found)),
      ),
    embed: (texts, { as }) => Effect.flatMap(read(texts, as), (each) => embedded(each, as)),
    tokenize: (texts, { as }) =>
      Effect.map(
        read(texts, as),
        (each): TokenizedTexts => ({
          counts: each.map(({ ids }) => ids.length),
          embed: embedded(each, as),
        }),
      ),
  }
})
