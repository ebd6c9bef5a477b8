import { embeddingSize, type ModelError } from "@tandem/models"
import { Runtime } from "@tandem/runtime"
import type { StoreAccessError } from "@tandem/store"
import { Effect, Layer, type Scope } from "effect"
import { cannotAnswer, makeAnswering, sourcesOf } from "./internal/Answering.ts"
import { checkCount, checkQuestion } from "./internal/Checks.ts"
import { makeSearching } from "./internal/Searching.ts"
import { isSource, type Knowledge, type RagParts, type Reader } from "./RagParts.ts"
import { Rag, type RagFacts, type RagSystem } from "./RagSystem.ts"

/**
 * A system from its parts, alive as long as the scope. Questions that come at the same time are encoded, searched and answered
 * together; each caller can leave without the others noticing.
 */
export const makeRag = Effect.fn("rag.make")(function* (
  parts: RagParts,
): Effect.fn.Return<RagSystem, ModelError | StoreAccessError, Runtime | Scope.Scope> {
  const { name, k: usual, temperature, knowledge, reader } = parts
  const { device } = yield* Runtime
  const searching = yield* makeSearching(knowledge)
  const { ask, askStream } = reader === undefined ? cannotAnswer : yield* makeAnswering(parts, reader, searching)
  const facts: RagFacts = {
    name,
    k: usual,
    ...(yield* knowledgeFacts(knowledge)),
    ...(reader === undefined ? {} : { generator: readerFacts(reader) }),
    device,
  }
  return {
    facts,
    retrieve: Effect.fn("rag.retrieve")(function* (question, { k = usual } = {}) {
      yield* checkQuestion(question)
      yield* checkCount(k)
      const [found = []] = yield* searching.search([question], k)
      return sourcesOf(found, temperature)
    }),
    embed: searching.embed,
    tokenize: searching.tokenize,
    ask: (question, options = {}) => ask(question, options),
    askStream: (question, options = {}) => askStream(question, options),
    askBatch: (questions, options = {}) =>
      Effect.forEach(questions, (question) => ask(question, options), { concurrency: "unbounded" }),
  } satisfies RagSystem
})

/** `Rag` from its parts. */
export const layerParts = (parts: RagParts): Layer.Layer<Rag, ModelError | StoreAccessError, Runtime> =>
  Layer.effect(Rag, makeRag(parts))

const knowledgeFacts = Effect.fnUntraced(function* (
  knowledge: Knowledge,
): Effect.fn.Return<Pick<RagFacts, "encoder" | "knowledge">, StoreAccessError> {
  if (isSource(knowledge)) return { knowledge: { name: knowledge.name } }
  const { model, query, retrieval, store, name } = knowledge
  const { count } = yield* store.metadata
  const { similarity, maxLength } = retrieval
  return {
    encoder: { model, dimension: embeddingSize(query.encoder.config), similarity, maxLength },
    knowledge: { name, passages: count },
  }
})

const readerFacts = ({ name, prompts, decoding }: Reader): NonNullable<RagFacts["generator"]> => ({
  model: name,
  maxPrompt: prompts.settings.maxPrompt,
  maxAnswer: prompts.settings.maxAnswer,
  decoding,
})
