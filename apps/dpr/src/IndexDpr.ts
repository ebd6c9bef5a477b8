import { readPassages } from "@tandem/objectives/node/Corpus"
import { openRetriever } from "@tandem/objectives/node/OpenRetriever"
import { writeIndex } from "@tandem/objectives/node/WriteIndex"
import type { RunOptions } from "@tandem/runs"
import { openRunFolder, runPaths } from "@tandem/runs/node/RunFolder"
import type { NodeProvider } from "@tandem/runtime"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { knownFormat } from "./DprData.ts"
import { runCorpus } from "./RunCorpus.ts"

/** What `indexDpr` is told. */
export interface IndexDprSettings {
  /** The folder of a finished run. */
  readonly run: string
  /** Passages; those that the run was trained with where absent. */
  readonly corpus?: string
  /** The format of `corpus`. */
  readonly format?: string
  /** The index's folder; the run's own index, which is replaced, where absent. */
  readonly out?: string
  readonly device: NodeProvider | "auto"
  readonly threads?: number
}

/** What was indexed. */
export interface DprIndex {
  readonly passages: number
  /** The folder of the index. */
  readonly store: string
}

/** Encodes a corpus with the retriever of a finished run and writes the index that `searchDpr` opens. */
export const indexDpr = Effect.fn("dpr.index")((settings: IndexDprSettings, options: RunOptions) => {
  const { run, corpus: file, out, device, threads } = settings
  const { observe } = options
  return Effect.gen(function* () {
    const { towers, retrieval } = yield* openRetriever(run)
    // A run that is being trained writes its index itself.
    if (out === undefined) yield* openRunFolder(run, true)
    yield* observe({ event: "phase", name: "reading passages" })
    const format = yield* knownFormat(settings.format)
    const read = file === undefined ? undefined : yield* readPassages(file, format)
    for (const message of read?.warnings ?? []) yield* observe({ event: "warning", message })
    const corpus = read?.corpus ?? (yield* runCorpus(run, options))
    const folder = out ?? runPaths(run).store
    yield* writeIndex({ passage: towers.passage, retrieval, corpus, folder, observe })
    return { passages: corpus.size, store: folder } satisfies DprIndex
  }).pipe(Effect.scoped, Effect.provide(layer({ device, ...(threads === undefined ? {} : { threads }) })))
})
