import { filesIn } from "@tandem/files/node/FilesIn"
import { modelFiles } from "@tandem/models/node/ModelFiles"
import { makeTextEncoder } from "@tandem/retriever"
import type { RunOptions } from "@tandem/runs"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect } from "effect"
import { readSearched } from "../retrieval/ReadSearched.ts"
import { encodingOf } from "../retrieval/RetrievalSettings.ts"

/** What is searched. */
export interface SearchedRun {
  /** The folder of a finished run. */
  readonly run: string
  /** The folder of an index that `indexDpr` made; the run's own where absent. */
  readonly store?: string
}

/** A passage that was found. */
export interface FoundPassage {
  readonly id: string
  readonly title?: string
  readonly text: string
  readonly score: number
}

/**
 * Opens a finished run's retriever with its index, or with another one that its passage encoder made. A run without an index
 * ends in `InvalidRunError`, one of another encoder in the store's `StoreMismatch`.
 */
export const openSearched = Effect.fnUntraced(function* (
  { run, store }: SearchedRun,
  { observe }: Pick<RunOptions, "observe">,
) {
  yield* observe({ event: "phase", name: "opening the run" })
  return yield* readSearched(modelFiles(run), {
    folderOf: ({ location }) => nodeFolder(location),
    ...(store === undefined ? {} : { store: filesIn(store) }),
  })
})

/** As {@link openSearched}, and answers as long as the scope lives: for each question the `k` best passages, best first. */
export const openSearch = Effect.fn("objectives.openSearch")(function* (
  searched: SearchedRun,
  options: Pick<RunOptions, "observe">,
) {
  const { towers, retrieval, store, identity } = yield* openSearched(searched, options)
  const encoder = yield* makeTextEncoder(towers.query, encodingOf(retrieval, "query"))
  return Effect.fnUntraced(function* (questions: readonly string[], k: number) {
    const vectors = yield* encoder.encode(questions, "query")
    const hits = yield* store.search({ vectors, k, fingerprint: identity.fingerprint })
    return hits.map((list) =>
      list.map(
        ({ passage: { id, title, text }, score }): FoundPassage => ({
          id,
          ...(title === undefined ? {} : { title }),
          text,
          score,
        }),
      ),
    )
  })
})
