import type { Passage } from "@tandem/datasets"
import { encodeCorpus, openIndex, type Towers, towerFrom } from "@tandem/retriever"
import { type Observe, progressTo, SettingsError } from "@tandem/runs"
import { type EmbeddedStoreShape, Exact } from "@tandem/store"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect } from "effect"
import { encodingOf, type RetrievalSettings } from "../retrieval/RetrievalSettings.ts"

/** What is searched in training. */
export interface SearchedSettings {
  readonly data: readonly string[]
  readonly corpus?: string
  readonly store?: string
}

/** What training searches: the index that is named, made by the passage encoder, or one of the data's own passages. */
export const searchedIndex = Effect.fnUntraced(function* (
  settings: SearchedSettings,
  { towers, retrieval }: { readonly towers: Towers; readonly retrieval: RetrievalSettings },
  corpus: ReadonlyMap<string, Passage>,
  observe: Observe,
) {
  const encoding = { passage: towerFrom(towers, "passage"), ...encodingOf(retrieval, "passage") }
  const named = settings.store
  if (named !== undefined) {
    const { store } = yield* openIndex(encoding, (expected) => Exact.open(nodeFolder(named), expected))
    return yield* notEmpty(store, "store", named)
  }
  const progress = progressTo(observe)
  const contents = yield* encodeCorpus(
    { ...encoding, onProgress: (done, total) => progress("indexing passages", done, total) },
    [...corpus.values()],
  )
  const store = yield* Exact.make(contents.identity)
  yield* store.replace(contents)
  return yield* notEmpty(store, "corpus", settings.corpus ?? settings.data.join(", "))
})

const notEmpty = Effect.fnUntraced(function* (store: EmbeddedStoreShape, field: "store" | "corpus", file: string) {
  const { count } = yield* store.metadata
  if (count > 0) return store
  return yield* new SettingsError({
    message: "there are no passages to search",
    field,
    file,
    expected: "at least one passage",
    found: "none",
    hint: "name the passages with `corpus`, or an index with `store`",
  })
})
