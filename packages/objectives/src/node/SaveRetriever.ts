import { join } from "node:path"
import type { Passage } from "@tandem/datasets"
import type { ModelError, SaveFailed } from "@tandem/models"
import { saveEncoder } from "@tandem/models/node/SaveEncoder"
import { type Tensor, takePart } from "@tandem/onnx"
import { encoderOf, partOfSide, type Side, type Towers } from "@tandem/retriever"
import type { Observe, RunFolderError } from "@tandem/runs"
import { writeWhole } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import type { Runtime } from "@tandem/runtime"
import type { AddError } from "@tandem/store"
import type { TrainingDiverged } from "@tandem/trainers"
import { Effect } from "effect"
import { divergedAfter, searchTowers } from "../retrieval/MeasureRetrieval.ts"
import { type BaseModel, type CardFacts, modelCard } from "../retrieval/ModelCard.ts"
import type { RetrievalSettings } from "../retrieval/RetrievalSettings.ts"
import { recordRetrieverFiles } from "./RetrieverFiles.ts"
import { writeIndex } from "./WriteIndex.ts"

/** What the model cards of a trained retriever tell. */
export interface RetrieverCards {
  /** The run folder. */
  readonly run: string
  readonly towers: Towers
  readonly retrieval: RetrievalSettings
  /** The step that the weights are of. */
  readonly step: number
  /** What each side's model was before, the training data, and what was measured. */
  readonly card: Pick<CardFacts, "train" | "systems"> & { readonly bases: Readonly<Record<Side, BaseModel>> }
}

/** What is saved of a trained retriever, and where. */
export interface SavedRetriever extends RetrieverCards {
  /** Trained weights by joint name. */
  readonly trained: ReadonlyMap<string, Tensor>
  /** Passages to index; absent where there is to be no index. */
  readonly corpus: ReadonlyMap<string, Passage> | undefined
  readonly observe: Observe
}

/** What saving can end in. */
export type SaveFailure = ModelError | RunFolderError | SaveFailed | AddError | TrainingDiverged

/**
 * Writes the towers into the run folder, then the index of the corpus that search opens: a run that ends while it indexes
 * leaves a retriever that can be used.
 */
export const saveRetriever = Effect.fnUntraced(function* (
  options: SavedRetriever,
): Effect.fn.Return<void, SaveFailure, Runtime> {
  const { run, towers, retrieval, trained, step, corpus, observe } = options
  yield* observe({ event: "phase", name: "saving the model" })
  for (const { side, folder, encoder, readme } of encodersOf(options)) {
    yield* saveEncoder(folder, encoder, parametersOf(towers, side, trained), { [cardFile]: readme })
  }
  yield* recordRetrieverFiles(run)
  if (corpus === undefined) return
  const { passage } = searchTowers(towers, Object.fromEntries(trained))
  const folder = runPaths(run).store
  yield* writeIndex({ passage, retrieval, corpus, folder, observe }).pipe(divergedAfter(step))
})

/** Writes the model cards again, with figures that were measured after saving. */
export const writeCards = Effect.fnUntraced(function* (
  options: RetrieverCards,
): Effect.fn.Return<void, RunFolderError> {
  for (const { folder, readme } of encodersOf(options)) yield* writeWhole(join(folder, cardFile), readme)
})

const cardFile = "README.md"

/** The encoders of a run with their folders and cards. The query encoder comes last: where it is, there is a retriever. */
const encodersOf = ({ run, towers, retrieval, step, card }: RetrieverCards) => {
  const { passageRetriever, retriever } = runPaths(run)
  const one = (side: Side, folder: string, sides: readonly Side[]) => {
    // What is saved says how the run compared embeddings, so that others score as it did.
    const encoder = { ...encoderOf(towers, side), similarity: retrieval.similarity }
    return {
      side,
      folder,
      encoder,
      readme: modelCard({ ...card, base: card.bases[side], encoder, sides, retrieval, step }),
    }
  }
  return towers.kind === "shared"
    ? [one("query", retriever, ["query", "passage"])]
    : [one("passage", passageRetriever, ["passage"]), one("query", retriever, ["query"])]
}

const parametersOf = (
  towers: Towers,
  side: Side,
  trained: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Tensor> => {
  const own = takePart(trained, partOfSide(towers, side))
  return new Map([...encoderOf(towers, side).parameters].map(([name, before]) => [name, own.get(name) ?? before]))
}
