import { type Encoder, SequenceTooLong, tinyEncoder, trainWordPiece } from "@tandem/models"
import { openEncoder } from "@tandem/models/node/LoadEncoder"
import { encoderOf, sharedTower, TowerMismatchError, type Towers, towerFrom, untiedTowers } from "@tandem/retriever"
import type { Feed } from "@tandem/runtime"
import { Effect } from "effect"
import type { DprData } from "./DprData.ts"
import type { RetrievalSettings, SearchTowers } from "./SearchTowers.ts"
import type { DprSettings } from "./Settings.ts"
import { startingModels } from "./StartingModels.ts"

/** Longest sequence that is used where nothing else is said. */
const usualMaximum = 256

/** The encoders that a run starts from. */
export const loadTowers = Effect.fn("dpr.loadTowers")(function* (settings: DprSettings, data: DprData) {
  const { query: queryModel, passage: passageModel, untied } = yield* startingModels(settings)
  const query = yield* loadModel(queryModel, settings, data)
  if (passageModel !== undefined) return yield* pair(query, yield* loadModel(passageModel, settings, data))
  return untied ? untiedTowers(query) : sharedTower(query)
})

const pair = (query: Encoder, passage: Encoder): Effect.Effect<Towers, TowerMismatchError> =>
  Effect.try({
    try: () => untiedTowers(query, passage),
    catch: (cause) => cause,
  }).pipe(Effect.catch((cause) => (cause instanceof TowerMismatchError ? Effect.fail(cause) : Effect.die(cause))))

const loadModel = Effect.fnUntraced(function* (name: string, settings: DprSettings, data: DprData) {
  const tiny = /^tiny(?::(\d+))?$/.exec(name)
  if (tiny !== null) return tinyModel(Number(tiny[1] ?? settings.seed), settings, data)
  return yield* openEncoder(name)
})

/** A random encoder whose word pieces are trained on the run's own passages and training questions. */
const tinyModel = (seed: number, { tiny, dropout, maxLength }: DprSettings, { train }: DprData): Encoder => {
  const { vocabulary = 4000, hidden = 128, layers = 2, heads = 4, intermediate = 512 } = tiny ?? {}
  const texts = [...[...train.corpus.values()].map(({ text }) => text), ...train.examples.map(({ query }) => query)]
  const rate = dropout === "model" ? 0 : dropout
  return tinyEncoder({
    seed,
    vocabulary: trainWordPiece(texts, { vocabularySize: vocabulary }),
    hidden,
    layers,
    heads,
    intermediate,
    dropout: rate,
    maxLength: maxLength ?? 64,
  })
}

/**
 * Fills in what the models decide where flags are silent. A maximum length beyond the positions of either model ends in
 * `SequenceTooLong` here, before anything is trained.
 */
export const retrievalSettings = Effect.fnUntraced(function* (
  settings: DprSettings,
  towers: Towers,
): Effect.fn.Return<RetrievalSettings, SequenceTooLong> {
  const encoders = [encoderOf(towers, "query"), encoderOf(towers, "passage")]
  const positions = Math.min(...encoders.map(({ config }) => config.maxPositions))
  if (settings.maxLength !== undefined && settings.maxLength > positions) {
    return yield* new SequenceTooLong({
      message: `texts cannot be cut to ${settings.maxLength} tokens: the model has positions for ${positions}`,
      field: "maxLength",
      expected: `at most ${positions}`,
      found: `${settings.maxLength}`,
      hint: "lower --max-length",
    })
  }
  const similarity = settings.similarity ?? (encoderOf(towers, "query").pooling.normalize ? "cosine" : "dot")
  const retrieval: RetrievalSettings = {
    similarity,
    temperature: settings.temperature ?? (similarity === "cosine" ? 0.05 : 1),
    maxLength: settings.maxLength ?? Math.min(...encoders.map(({ maxLength }) => maxLength), usualMaximum),
    titles: settings.titles,
  }
  return retrieval
})

/** The two towers that search, with weights out of the joint program or, without any, those that were loaded. */
export const searchTowers = (towers: Towers, weights?: Readonly<Record<string, Feed>>): SearchTowers => ({
  query: towerFrom(towers, "query", weights),
  passage: towerFrom(towers, "passage", weights),
})
