import { type Encoder, SequenceTooLong, similarityOf, tinyEncoder, trainWordPiece } from "@tandem/models"
import { openEncoder } from "@tandem/models/node/LoadEncoder"
import { encoderOf, type Side, sharedTower, TowerMismatchError, type Towers, untiedTowers } from "@tandem/retriever"
import { partsNamed, SettingsError, valueFor } from "@tandem/runs"
import { Effect, Schema } from "effect"
import type { RetrievalSettings } from "../retrieval/RetrievalSettings.ts"
import { type RetrieverSettings, TinySizes } from "../retrieval/RetrieverFields.ts"
import { startingModels } from "./StartingModels.ts"

/** What a model without weights of its own starts from. */
export interface FromNothing {
  readonly seed: number
  readonly dropout: "model" | number
  /** Texts that word pieces are trained on. */
  readonly texts: () => readonly string[]
}

/** Longest sequence that is used where nothing else is said. */
const usualMaximum = 256

/** The encoders that a run starts from. */
export const loadTowers = Effect.fn("objectives.loadTowers")(function* (
  settings: RetrieverSettings,
  from: FromNothing,
) {
  const { query: queryModel, passage: passageModel, untied } = yield* startingModels(settings)
  const query = yield* loadModel(queryModel, settings, from)
  if (passageModel !== undefined) return yield* pair(query, yield* loadModel(passageModel, settings, from))
  return untied ? untiedTowers(query) : sharedTower(query)
})

const pair = (query: Encoder, passage: Encoder): Effect.Effect<Towers, TowerMismatchError> =>
  Effect.try({
    try: () => untiedTowers(query, passage),
    catch: (cause) => cause,
  }).pipe(Effect.catch((cause) => (cause instanceof TowerMismatchError ? Effect.fail(cause) : Effect.die(cause))))

const loadModel = Effect.fnUntraced(function* (name: string, settings: RetrieverSettings, from: FromNothing) {
  const tiny = /^tiny(?::(\d+))?$/.exec(name)
  if (tiny !== null) return tinyModel(Number(tiny[1] ?? from.seed), settings, from)
  return yield* openEncoder(name)
})

/** A random encoder whose word pieces are trained on the run's own texts. */
const tinyModel = (seed: number, { tiny, maxLength }: RetrieverSettings, { dropout, texts }: FromNothing): Encoder => {
  const { vocabulary, ...sizes } = Schema.decodeSync(TinySizes)(tiny ?? {})
  return tinyEncoder({
    seed,
    vocabulary: trainWordPiece(texts(), { vocabularySize: vocabulary }),
    ...sizes,
    dropout: dropout === "model" ? 0 : dropout,
    maxLength:
      maxLength === undefined ? 64 : Math.max(valueFor(maxLength, "query", 64), valueFor(maxLength, "passage", 64)),
  })
}

/**
 * Fills in what the models decide where settings are silent. A maximum length beyond the positions of a model ends in
 * `SequenceTooLong` here, before anything is trained; one for a part other than `query` and `passage` in `SettingsError`.
 */
export const retrievalSettings = Effect.fnUntraced(function* (
  settings: Pick<RetrieverSettings, "maxLength" | "similarity" | "temperature" | "titles">,
  towers: Towers,
): Effect.fn.Return<RetrievalSettings, SequenceTooLong | SettingsError> {
  const strange = partsNamed(settings.maxLength).find((part) => part !== "query" && part !== "passage")
  if (strange !== undefined) {
    return yield* new SettingsError({
      message: `no texts of this run belong to ${strange}`,
      field: "maxLength",
      expected: "query, passage or all",
      found: strange,
    })
  }
  const { pooling, similarity: stated } = encoderOf(towers, "query")
  const similarity = settings.similarity ?? stated ?? similarityOf(pooling)
  const own = Math.min(encoderOf(towers, "query").maxLength, encoderOf(towers, "passage").maxLength, usualMaximum)
  const maxLength = (side: Side) => valueFor(settings.maxLength, side, own)
  for (const side of ["query", "passage"] as const) {
    const positions = encoderOf(towers, side).config.maxPositions
    if (maxLength(side) <= positions) continue
    return yield* new SequenceTooLong({
      message: `texts cannot be cut to ${maxLength(side)} tokens: the model has positions for ${positions}`,
      field: "maxLength",
      expected: `at most ${positions}`,
      found: `${maxLength(side)}`,
      hint: "lower the maximum length",
    })
  }
  return {
    similarity,
    temperature: settings.temperature ?? (similarity === "cosine" || pooling.normalize ? 0.05 : 1),
    maxLength: { query: maxLength("query"), passage: maxLength("passage") },
    titles: settings.titles,
  }
})
