import { type FoundPassage, openSearch, type SearchedRun } from "@tandem/objectives/node/OpenSearch"
import type { RunOptions } from "@tandem/runs"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"

/** What `searchDpr` is told. */
export interface SearchDprSettings extends SearchedRun {
  readonly questions: readonly string[]
  /** Passages wanted for each question. */
  readonly k: number
  readonly device: NodeProvider | "auto"
  readonly threads?: number
}

/** Searches the index of a finished run once: see {@link openSearch}. */
export const searchDpr = Effect.fn("dpr.search")((settings: SearchDprSettings, options: RunOptions) => {
  const { device, threads, questions, k } = settings
  return Effect.flatMap(openSearch(settings, options), (search) => search(questions, k)).pipe(
    Effect.scoped,
    Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })),
  )
})

export { type FoundPassage, openSearch, type SearchedRun }
