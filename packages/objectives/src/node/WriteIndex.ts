import type { Passage } from "@tandem/datasets"
import type { ModelError } from "@tandem/models"
import { encodeCorpus, type Tower } from "@tandem/retriever"
import { type Observe, progressTo } from "@tandem/runs"
import type { Runtime } from "@tandem/runtime"
import { type AddError, Exact } from "@tandem/store"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect } from "effect"
import { encodingOf, type RetrievalSettings } from "../retrieval/RetrievalSettings.ts"

/** What is indexed, and where. */
export interface WrittenIndex {
  /** The tower that reads passages. */
  readonly passage: Tower
  readonly retrieval: RetrievalSettings
  readonly corpus: ReadonlyMap<string, Passage>
  /** The store's folder, which is replaced as a whole at the end. */
  readonly folder: string
  readonly observe: Observe
}

/** Encodes a corpus and writes the index that search opens. An index that lies there stays until the new one is whole. */
export const writeIndex = Effect.fnUntraced(function* (
  options: WrittenIndex,
): Effect.fn.Return<void, ModelError | AddError, Runtime> {
  const { passage, retrieval, corpus, folder, observe } = options
  const progress = progressTo(observe)
  const contents = yield* encodeCorpus(
    {
      passage,
      ...encodingOf(retrieval, "passage"),
      onProgress: (done, total) => progress("indexing passages", done, total),
    },
    [...corpus.values()],
  )
  const store = yield* Exact.make(contents.identity)
  yield* store.replace(contents)
  yield* store.snapshot(nodeFolder(folder))
})
