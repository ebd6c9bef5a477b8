import { existsSync } from "node:fs"
import type { Encoder } from "@tandem/models"
import { loadEncoder } from "@tandem/models/node/LoadEncoder"
import { type Towers, towerOf } from "@tandem/retriever"
import { InvalidRunError } from "@tandem/runs"
import { readRecord } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect, Schema } from "effect"
import type { RetrievalSettings, SearchTowers } from "../retrieval/RetrievalSettings.ts"
import { checkRetrieverFiles } from "./RetrieverFiles.ts"

/** The part of a run's `config.json` that search and evaluation need. */
const RunConfig = Schema.Struct({
  format: Schema.Literal(1),
  retriever: Schema.Struct({
    similarity: Schema.Literals(["dot", "cosine"]),
    temperature: Schema.Number,
    maxLength: Schema.Union([Schema.Number, Schema.Struct({ query: Schema.Number, passage: Schema.Number })]),
    titles: Schema.optionalKey(Schema.Literals(["pair", "prefix", "none"])),
    untied: Schema.Boolean,
  }),
})

/** The entry `retriever` of a run's `config.json`: how texts were compared. */
export const retrieverFacts = (towers: Towers, { maxLength, ...retrieval }: RetrievalSettings) => ({
  ...retrieval,
  maxLength: maxLength.query === maxLength.passage ? maxLength.query : maxLength,
  untied: towers.kind === "untied",
})

/** A finished run's towers and how they compare texts. */
export interface OpenedRetriever {
  readonly towers: SearchTowers
  readonly retrieval: RetrievalSettings
}

/** Opens the retriever of a run folder; a run that has not ended has none yet. */
export const openRetriever = Effect.fnUntraced(function* (run: string) {
  const paths = runPaths(run)
  if (!existsSync(paths.retriever)) {
    return yield* new InvalidRunError({
      message: existsSync(paths.config) ? `the run in ${run} has not ended` : `${run} is no run folder`,
      file: run,
      field: "run",
      expected: "the folder of a finished run, with retriever/ in it",
      hint: existsSync(paths.config) ? "resume it to its end" : "name the folder of a run",
    })
  }
  yield* checkRetrieverFiles(run)
  const { retriever } = yield* readRecord(paths.config, RunConfig)
  const query: Encoder = yield* loadEncoder(paths.retriever)
  const passage = retriever.untied ? yield* loadEncoder(paths.passageRetriever) : query
  const { similarity, temperature, maxLength, titles } = retriever
  const opened: OpenedRetriever = {
    towers: { query: towerOf(query), passage: towerOf(passage) },
    retrieval: {
      similarity,
      temperature,
      maxLength: typeof maxLength === "number" ? { query: maxLength, passage: maxLength } : maxLength,
      titles,
    },
  }
  return opened
})
