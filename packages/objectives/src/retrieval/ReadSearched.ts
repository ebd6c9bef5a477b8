import { filesBelow, type ReadFiles } from "@tandem/files"
import type { ReadEncoderOptions } from "@tandem/models/files/ReadEncoder"
import { openIndex } from "@tandem/retriever"
import { InvalidRunError } from "@tandem/runs/Errors"
import { holds } from "@tandem/runs/ReadRun"
import { Exact, readFolder, type StoreFolder } from "@tandem/store"
import { Effect } from "effect"
import { readRetriever } from "./ReadRetriever.ts"
import { encodingOf } from "./RetrievalSettings.ts"

export interface ReadSearchedOptions extends ReadEncoderOptions {
  /** The folder of another index that the run's passage encoder made; the run's own where absent. */
  readonly store?: ReadFiles
  /** How an index is read from its folder; as a whole where absent. */
  readonly folderOf?: (files: ReadFiles) => StoreFolder
}

/**
 * The retriever of a finished run's folder with its index, wherever they lie. A run without an index ends in `InvalidRunError`,
 * an index of another encoder in the store's `StoreMismatch`.
 */
export const readSearched = Effect.fnUntraced(function* (
  run: ReadFiles,
  { store: other, folderOf = readFolder, ...options }: ReadSearchedOptions = {},
) {
  const folder = other ?? filesBelow(run, "store")
  const { towers, retrieval } = yield* readRetriever(run, options)
  if (!(yield* holds(folder, "manifest.json"))) {
    return yield* new InvalidRunError({
      message: `${folder.location} holds no index: none was written, or writing it was interrupted`,
      file: folder.location,
      field: other === undefined ? "run" : "store",
      expected: "an index of passages",
      hint: "index the passages with the retriever of the run: tandem dpr index",
    })
  }
  const { store, identity } = yield* openIndex(
    { passage: towers.passage, ...encodingOf(retrieval, "passage") },
    (expected) => Exact.open(folderOf(folder), expected),
  )
  return { towers, retrieval, store, identity }
})
