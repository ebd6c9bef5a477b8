import { makeRetrieve } from "@tandem/retriever"
import type { Observe } from "@tandem/runs"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Runtime } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import type { EmbeddedStoreShape } from "@tandem/store"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Context, Effect, Layer } from "effect"
import { makeLiveIndex } from "../joint/LiveIndex.ts"
import { parseRefresh } from "../joint/Refresh.ts"
import { encodingOf, type RetrievalSettings } from "../retrieval/RetrievalSettings.ts"
import type { OwnTowers } from "./OwnTowers.ts"
import { type SavedRetriever, saveRetriever } from "./SaveRetriever.ts"

/** What decides how passages are searched while their retriever trains. */
export interface SearchSettings {
  readonly refresh: string
  readonly refreshDelay: number
  /** Times as many passages are found in an index that ages, encoded anew, and the best taken; 1 where absent. */
  readonly overRetrieve?: number
  /** Parts that train: with `passage` among them vectors age. */
  readonly train: readonly string[]
}

/** Whether stored vectors stay those of the passages' encoder. */
export const passagesOf = ({ train }: Pick<SearchSettings, "train">): "frozen" | "live" =>
  train.includes("passage") ? "live" : "frozen"

/** The search of training, and where passages are live the index that follows their encoder. */
export const searchInTraining = Effect.fnUntraced(function* (
  settings: SearchSettings,
  searched: { readonly towers: OwnTowers; readonly retrieval: RetrievalSettings; readonly store: EmbeddedStoreShape },
  observe: Observe,
) {
  const { towers, retrieval, store } = searched
  const passages = passagesOf(settings)
  const live =
    passages === "frozen"
      ? undefined
      : yield* makeLiveIndex({
          ...{ towers, retrieval, store, observe },
          refresh: parseRefresh(settings.refresh) ?? { kind: "never" },
          delay: settings.refreshDelay,
          ...(settings.refreshDelay === 0 ? {} : { beside: yield* secondRuntime }),
        })
  const search = yield* makeRetrieve({
    towers,
    store,
    withVectors: passages === "frozen",
    overRetrieve: settings.overRetrieve ?? 1,
    passage: encodingOf(retrieval, "passage"),
    ...encodingOf(retrieval, "query"),
  })
  return { search, ...(live === undefined ? {} : { live }) }
})

/** A device of its own, so that an index is encoded while training goes on. */
const secondRuntime = Effect.map(Layer.build(layer({ threads: 1 })), (services) => Context.get(services, Runtime))

/** Saves a retriever that was trained with a search, and the index that it is searched by: encoded anew where passages are live. */
export const saveSearched = Effect.fnUntraced(function* (
  saved: Omit<SavedRetriever, "corpus">,
  { store, passages }: { readonly store: EmbeddedStoreShape; readonly passages: "frozen" | "live" },
) {
  const indexed = yield* store.contents
  const corpus = passages === "live" ? new Map(indexed.passages.map((each) => [each.id, each])) : undefined
  yield* saveRetriever({ ...saved, corpus })
  if (passages === "frozen") yield* store.snapshot(nodeFolder(runPaths(saved.run).store))
})
