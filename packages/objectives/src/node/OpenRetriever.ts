import { modelFiles } from "@tandem/models/node/ModelFiles"
import type { Towers } from "@tandem/retriever"
import { readRetriever } from "../retrieval/ReadRetriever.ts"
import type { RetrievalSettings } from "../retrieval/RetrievalSettings.ts"

/** The entry `retriever` of a run's `config.json`: how texts were compared. */
export const retrieverFacts = (towers: Towers, { maxLength, ...retrieval }: RetrievalSettings) => ({
  ...retrieval,
  maxLength: maxLength.query === maxLength.passage ? maxLength.query : maxLength,
  untied: towers.kind === "untied",
})

/** Opens the retriever of a run folder; a run that has not ended has none yet. */
export const openRetriever = (run: string) => readRetriever(modelFiles(run))
