import { filesBelow, type ReadFiles } from "@tandem/files"
import type { ReadEncoderOptions } from "@tandem/models/files/ReadEncoder"
import { openIndex } from "@tandem/retriever"
import { InvalidRunError } from "@tandem/runs/Errors"
import { holds } from "@tandem/runs/ReadRun"
import type { Runtime } from "@tandem/runtime"
import { Exact, openLater, readFolder, readMetadata, type StoreFolder } from "@tandem/store"
import { Effect } from "effect"
import { type OpenedRetriever, readRetriever } from "./ReadRetriever.ts"
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
export const readSearched = Effect.fnUntraced(function* (run: ReadFiles, options: ReadSearchedOptions = {}) {
  const { towers, retrieval, folder } = yield* readParts(run, options)
  if (!(yield* holds(folder, manifest))) return yield* noIndex(folder, options)
  const { store, identity } = yield* openOf({ towers, retrieval, folder }, options)
  return { towers, retrieval, store, identity }
})

/**
 * The same with an index that is read when it is first searched: whether it is whole and of this encoder is known then, and until
 * then only how many passages it says it has.
 */
export const readSearchedLater = Effect.fnUntraced(function* (run: ReadFiles, options: ReadSearchedOptions = {}) {
  const { towers, retrieval, folder } = yield* readParts(run, options)
  if (!(yield* holds(folder, manifest))) return yield* noIndex(folder, options)
  const metadata = yield* readMetadata(folder)
  const services = yield* Effect.context<Runtime>()
  const open = Effect.map(openOf({ towers, retrieval, folder }, options), ({ store }) => store)
  return { towers, retrieval, store: yield* openLater(metadata, Effect.provide(open, services)) }
})

const manifest = "manifest.json"

const readParts = (run: ReadFiles, { store, folderOf: _, ...options }: ReadSearchedOptions) =>
  Effect.map(readRetriever(run, options), (opened) => ({ ...opened, folder: store ?? filesBelow(run, "store") }))

const openOf = (
  { towers, retrieval, folder }: OpenedRetriever & { readonly folder: ReadFiles },
  { folderOf = readFolder }: ReadSearchedOptions,
) =>
  openIndex({ passage: towers.passage, ...encodingOf(retrieval, "passage") }, (expected) =>
    Exact.open(folderOf(folder), expected),
  )

const noIndex = (folder: ReadFiles, { store }: ReadSearchedOptions) =>
  new InvalidRunError({
    message: `${folder.location} holds no index: none was written, or writing it was interrupted`,
    file: folder.location,
    field: store === undefined ? "run" : "store",
    expected: "an index of passages",
    hint: "index the passages with the retriever of the run: tandem dpr index",
  })
