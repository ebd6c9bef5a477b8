import type { Passage } from "@tandem/datasets"
import type { ModelError, SaveFailed } from "@tandem/models"
import { saveEncoder } from "@tandem/models/node/SaveEncoder"
import { type Tensor, takePart } from "@tandem/onnx"
import { encoderOf, partOfSide, type Side, type Towers } from "@tandem/retriever"
import type { Observe, RunFolderError } from "@tandem/runs"
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

/** What is saved of a trained retriever, and where. */
export interface SavedRetriever {
  /** The run folder. */
  readonly run: string
  readonly towers: Towers
  readonly retrieval: RetrievalSettings
  /** Trained weights by joint name, and the step that they are of. */
  readonly trained: ReadonlyMap<string, Tensor>
  readonly step: number
  /** What each side's model was before, the training data, and what was measured, for the model cards. */
  readonly card: Pick<CardFacts, "train" | "systems"> & { readonly bases: Readonly<Record<Side, BaseModel>> }
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
  const { run, towers, retrieval, trained, step, card, corpus, observe } = options
  const paths = runPaths(run)
  yield* observe({ event: "phase", name: "saving the model" })
  // What is saved says how the run compared embeddings, so that others score as it did.
  const compared = (side: Side) => ({ ...encoderOf(towers, side), similarity: retrieval.similarity })
  const save = (side: Side, folder: string, sides: readonly Side[]) => {
    const encoder = compared(side)
    const readme = modelCard({ ...card, base: card.bases[side], encoder, sides, retrieval, step })
    return saveEncoder(folder, encoder, parametersOf(towers, side, trained), { "README.md": readme })
  }
  // The query encoder comes last: where it is, there is a retriever.
  const shared = towers.kind === "shared"
  if (!shared) yield* save("passage", paths.passageRetriever, ["passage"])
  yield* save("query", paths.retriever, shared ? ["query", "passage"] : ["query"])
  yield* recordRetrieverFiles(run)
  if (corpus === undefined) return
  const { passage } = searchTowers(towers, Object.fromEntries(trained))
  yield* writeIndex({ passage, retrieval, corpus, folder: paths.store, observe }).pipe(divergedAfter(step))
})

const parametersOf = (
  towers: Towers,
  side: Side,
  trained: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Tensor> => {
  const own = takePart(trained, partOfSide(towers, side))
  return new Map([...encoderOf(towers, side).parameters].map(([name, before]) => [name, own.get(name) ?? before]))
}
