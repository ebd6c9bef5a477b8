import { searchTowers } from "@tandem/objectives"
import { loadTowers, retrievalSettings } from "@tandem/objectives/node/LoadTowers"
import { openRetriever } from "@tandem/objectives/node/OpenRetriever"
import type { OpenedRetriever } from "@tandem/objectives/retrieval/ReadRetriever"
import type { PerPart } from "@tandem/runs"
import { Effect } from "effect"

/** Models as they are, without a run. */
export interface GivenModels {
  /** A folder, a hub id, or `tiny`. */
  readonly model?: string
  readonly queryEncoder?: string
  readonly passageEncoder?: string
  /** Where silent, the models decide these, as in training. */
  readonly maxLength?: PerPart
  readonly similarity?: "dot" | "cosine"
  readonly titles?: "pair" | "prefix" | "none"
}

/** What encodes questions and passages: a finished run's retriever, or models as they are. */
export type EncodingSource = { readonly run: string } | GivenModels

/** Opens the encoders of a run or of models; `texts` are what word pieces of a tiny model are made of. */
export const openEncoders = Effect.fn("dpr.openEncoders")(function* (
  source: EncodingSource,
  texts: () => readonly string[],
) {
  if ("run" in source) return yield* openRetriever(source.run)
  const settings = { ...source, untied: false }
  const towers = yield* loadTowers(settings, { seed: 0, dropout: "model", texts })
  const retrieval = yield* retrievalSettings(settings, towers)
  return { towers: searchTowers(towers), retrieval } satisfies OpenedRetriever
})
