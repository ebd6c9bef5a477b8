import type { Passage, RetrievalData } from "@tandem/datasets"
import type { InvalidEvaluation } from "@tandem/evals"
import type { GeneratorError, LocalGenerator, Prompts, RagAnswer } from "@tandem/generator"
import type { LanguageModel } from "@tandem/models"
import { makeTextEncoder, type Tower } from "@tandem/retriever"
import { type Measured, type Measurement, type Observe, progressTo, type RunServices, type Weights } from "@tandem/runs"
import type { Runtime } from "@tandem/runtime"
import type { EmbeddedStoreShape, KnowledgeStoreShape, SearchError } from "@tandem/store"
import { Effect } from "effect"
import { evaluateVariants, type VariantResults } from "../answers/EvaluateAnswers.ts"
import { generatorOf, measuredAnswers } from "../answers/MeasureAnswers.ts"
import { divergedAfter, type RetrievalFailure, searchTowers } from "../retrieval/MeasureRetrieval.ts"
import { encodingOf, type RetrievalSettings } from "../retrieval/RetrievalSettings.ts"
import { encodedAnew, searchDev } from "../retrieval/SearchDev.ts"
import { nearChance } from "./CollapseWatch.ts"
import { evaluateRag, evaluateRenewed, type RagSettings } from "./EvaluateRag.ts"
import type { JointModels } from "./JointModels.ts"
import { jointCharts, jointExamples, shownAnswers } from "./JointPage.ts"
import { renewedQuery } from "./RenewedQueries.ts"

/** What a whole system is measured with. */
export interface SystemMeasurement extends Omit<RagSettings, "temperature"> {
  /** Evaluation questions that can be asked, with their answers and, where they are known, passages. */
  readonly dev: RetrievalData
  /** All passages, for those that answer. */
  readonly corpus: ReadonlyMap<string, Passage>
  readonly retrieval: RetrievalSettings
  readonly prompts: Pick<Prompts, "prompt" | "answer" | "settings">
  /** Passages are searched again after every so many tokens of an answer; once where absent. */
  readonly renewEvery?: number
  /** Draws the passages of the variant `random`. */
  readonly seed: number
  /** Answers are written for so many questions, the first ones. */
  readonly written: number
  readonly observe: Observe
}

/** What a joint run is measured with. */
export interface JointMeasurement extends SystemMeasurement {
  readonly models: JointModels
  /** What is searched; where passages are live, its passages with the vectors of the moment. */
  readonly store: EmbeddedStoreShape
  readonly passages: "frozen" | "live"
}

/** What measuring can end in. */
export type JointFailure = RetrievalFailure | GeneratorError | SearchError | InvalidEvaluation

/**
 * Retrieval and answers of a whole system on the evaluation questions: what is found, how likely the expected answers are
 * without passages, with another question's, with those that were found and with the one that answers, and what is written.
 * The weights whose answers from what they find are likeliest are kept (`retrieved.nll`, nats a token).
 */
export const measureJoint = (options: JointMeasurement): Effect.Effect<Measurement<JointFailure>, never, RunServices> =>
  Effect.map(generatorOf(options.models.generator), (generator) => ({
    metric: "retrieved.nll",
    better: "smaller",
    measure: ({ step, weights }) =>
      Effect.scoped(Effect.flatMap(generator(weights), (reader) => measureWith(reader, { step, weights }, options))),
    baselines: {},
    page: {
      headline: ["retrieved.exactMatch", "retrieved.nll", "answerRecall@1"],
      charts: jointCharts,
      sections: (systems) => jointExamples(options.dev.examples, systems),
    },
  }))

const measureWith = Effect.fnUntraced(function* (
  reader: LocalGenerator,
  { step, weights }: Weights,
  options: JointMeasurement,
): Effect.fn.Return<Measured, JointFailure, RunServices> {
  const towers = searchTowers(options.models.towers, weights)
  return yield* Effect.gen(function* () {
    const store =
      options.passages === "frozen" ? options.store : yield* encodedAnew(options.store, towers.passage, options)
    const measured = yield* measureSystem(
      {
        ...{ model: options.models.generator, reader, query: towers.query, store },
        ...(store === options.store ? {} : { inUse: options.store }),
      },
      options,
    )
    const { count: passages } = yield* store.metadata
    const message = step === 0 ? nearChance(measured.metrics, { passages }) : undefined
    if (message !== undefined) yield* options.observe({ event: "warning", message })
    return measured
  }).pipe(divergedAfter(step))
})

/**
 * What a query encoder finds in a store for the evaluation questions, and what a generator makes of it. Beside the figures
 * of retrieval and of each variant: `distinct`, the share of different passages among the first ones found, and
 * `retrieved.writtenNll`, nats a token of the answers that were written, under the model itself; those of the expected
 * answers are `retrieved.nll`.
 */
export const measureSystem = Effect.fn("objectives.measureSystem")(function* (
  {
    model,
    reader,
    query,
    store,
    inUse,
  }: {
    /** The generator's model, and the same with its weights of the moment. */
    readonly model: LanguageModel
    readonly reader: LocalGenerator
    readonly query: Tower
    readonly store: KnowledgeStoreShape
    /** What training searches, where its vectors are older than the store's. */
    readonly inUse?: KnowledgeStoreShape
  },
  options: SystemMeasurement,
): Effect.fn.Return<Measured, JointFailure, Runtime> {
  const { dev, corpus, retrieval, k, prompts, seed, written, observe, loss } = options
  const progress = progressTo(observe)
  const { metrics, perQuestion, questions } = yield* searchDev(query, store, {
    ...{ dev, corpus, retrieval, k, inUse, observe },
  })
  const rag = { questions, prompts, k, written, loss, temperature: retrieval.temperature }
  const retrieved = yield* options.renewEvery === undefined
    ? evaluateRag(reader, rag, progress)
    : Effect.scoped(
        Effect.flatMap(renewalOf({ model, query, store }, options, options.renewEvery), (renewal) =>
          evaluateRenewed(reader, rag, renewal, progress),
        ),
      )
  const others = yield* evaluateVariants(
    reader,
    { questions, prompts, k: 1, seed, written, variants: ["closedBook", "random", "gold"] },
    progress,
  )
  const { likelihoods, writing, answers, passages } = retrieved
  const texts = Object.fromEntries([...answers].map(([id, { text }]) => [id, text.trim()]))
  const results: VariantResults = {
    ...others,
    retrieved: { likelihoods, written: texts, ...(writing === undefined ? {} : { writing }) },
  }
  const measured = measuredAnswers(questions.length, results)
  return {
    metrics: { ...metrics, ...measured.metrics, ...writtenFigures([...answers.values()]) },
    perQuestion: { ...perQuestion, ...measured.perQuestion },
    shown: shownAnswers(questions, { k, answers, passages, closedBook: others.closedBook?.written ?? {} }),
  }
})

/** Searches with what an answer's beginnings say, as a joint run with renewed retrieval does. */
export const renewalOf = Effect.fnUntraced(function* (
  {
    model,
    query,
    store,
  }: { readonly model: LanguageModel; readonly query: Tower; readonly store: KnowledgeStoreShape },
  { retrieval, k, prompts }: Pick<SystemMeasurement, "retrieval" | "k" | "prompts">,
  every: number,
) {
  const encoder = yield* makeTextEncoder(query, encodingOf(retrieval, "query"))
  return {
    model,
    every,
    k,
    temperature: retrieval.temperature,
    prompts,
    textFor: renewedQuery({ query: query.encoder, generator: model, retrieval }),
    search: (texts: readonly string[], count: number) =>
      Effect.flatMap(encoder.encode(texts, "query"), (vectors) => store.search({ vectors, k: count })),
  }
})

/** Nats a token of what was written, under the model that wrote it. */
const writtenFigures = (
  answers: readonly Pick<RagAnswer, "tokens" | "logprob">[],
): Readonly<Record<string, number>> => {
  const tokens = answers.reduce((sum, answer) => sum + answer.tokens.length, 0)
  const nats = answers.reduce((sum, { logprob }) => sum - logprob, 0)
  return tokens === 0 ? {} : { "retrieved.writtenNll": nats / tokens }
}
