import { encodingOf } from "@tandem/objectives"
import { openRetriever } from "@tandem/objectives/node/OpenRetriever"
import { encodeAll, openIndex } from "@tandem/retriever"
import type { RunOptions } from "@tandem/runs"
import { runPaths } from "@tandem/runs/node/RunFolder"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Exact } from "@tandem/store"
import { nodeFolder } from "@tandem/store/node/StoreFolder"
import { Effect } from "effect"

/** What `searchDpr` is told. */
export interface SearchDprSettings {
  /** The folder of a finished run. */
  readonly run: string
  readonly questions: readonly string[]
  /** Passages wanted for each question. */
  readonly k: number
  readonly device: NodeProvider | "auto"
  readonly threads?: number
}

/** A passage that was found. */
export interface FoundPassage {
  readonly id: string
  readonly title?: string
  readonly text: string
  readonly score: number
}

/**
 * Searches the index of a finished run. An index that another encoder made ends in the store's `StoreMismatch`.
 */
export const searchDpr = Effect.fn("dpr.search")((settings: SearchDprSettings, { observe }: RunOptions) => {
  const { device, threads, run, questions, k } = settings
  return Effect.gen(function* () {
    yield* observe({ event: "phase", name: "opening the run" })
    const { towers, retrieval } = yield* openRetriever(run)
    const { store, identity } = yield* openIndex(
      { passage: towers.passage, ...encodingOf(retrieval, "passage") },
      (expected) => Exact.open(nodeFolder(runPaths(run).store), expected),
    )
    const { vectors } = yield* encodeAll(towers.query, questions, { kind: "query", ...encodingOf(retrieval, "query") })
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
  }).pipe(Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })))
})
