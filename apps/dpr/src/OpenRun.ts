import { existsSync } from "node:fs"
import type { Encoder } from "@tandem/models"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { towerOf } from "@tandem/retriever"
import { Effect, Schema } from "effect"
import { RunFolderError } from "./Errors.ts"
import { onDisk, readJson, runPaths } from "./RunFolder.ts"
import type { RetrievalSettings, SearchTowers } from "./SearchTowers.ts"

/** The part of a run's `config.json` that search and evaluation need. */
const RunConfig = Schema.Struct({
  format: Schema.Literal(1),
  retriever: Schema.Struct({
    similarity: Schema.Literals(["dot", "cosine"]),
    temperature: Schema.Number,
    maxLength: Schema.Number,
    titles: Schema.optionalKey(Schema.Literals(["pair", "prefix", "none"])),
    untied: Schema.Boolean,
  }),
})

/** A finished run's towers and how they compare texts. */
export interface OpenedRun {
  readonly towers: SearchTowers
  readonly retrieval: RetrievalSettings
}

/** Opens the retriever of a run folder; a run that has not ended has none yet. */
export const openRun = Effect.fnUntraced(function* (run: string) {
  const paths = runPaths(run)
  if (!existsSync(paths.retriever)) {
    return yield* new RunFolderError({
      message: existsSync(paths.config) ? `the run in ${run} has not ended` : `${run} is no run folder`,
      file: run,
      field: "run",
      expected: "a folder that `tandem dpr train` has finished",
      hint: existsSync(paths.config) ? "finish it with --resume" : "name the folder that was given as --out",
    })
  }
  const raw = yield* readJson(paths.config)
  const { retriever } = yield* onDisk(paths.config, async () => Schema.decodeUnknownSync(RunConfig)(raw))
  const query: Encoder = yield* loadEncoder(paths.retriever)
  const passage = retriever.untied ? yield* loadEncoder(paths.passageRetriever) : query
  const { similarity, temperature, maxLength, titles } = retriever
  const opened: OpenedRun = {
    towers: { query: towerOf(query), passage: towerOf(passage) },
    retrieval: { similarity, temperature, maxLength, titles },
  }
  return opened
})
