import { filesBelow, type ReadFiles } from "@tandem/files"
import type { Encoder } from "@tandem/models"
import { type ReadEncoderOptions, readEncoder } from "@tandem/models/files/ReadEncoder"
import { towerOf } from "@tandem/retriever"
import { InvalidRunError } from "@tandem/runs/Errors"
import { holds, readRecord } from "@tandem/runs/ReadRun"
import { Effect, Schema } from "effect"
import { checkRetrieverFiles } from "./CheckRetrieverFiles.ts"
import type { RetrievalSettings, SearchTowers } from "./RetrievalSettings.ts"

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

/** A finished run's towers and how they compare texts. */
export interface OpenedRetriever {
  readonly towers: SearchTowers
  readonly retrieval: RetrievalSettings
}

/** Refuses a folder without a retriever: a run that has not ended has none yet, one that trained a reader alone never will. */
export const checkHasRetriever = Effect.fnUntraced(function* (run: ReadFiles) {
  if (yield* holdsFolder(run, "retriever")) return
  if (yield* holdsFolder(run, "generator")) {
    return yield* new InvalidRunError({
      message: `the run in ${run.location} trained a generator alone, so that there is nothing to search`,
      file: run.location,
      field: "retriever",
      expected: "a run with a retriever and its index beside it",
      found: "nothing",
      hint: "name the run whose retriever found its passages with `retriever`",
    })
  }
  const isRun = yield* holds(run, "config.json")
  return yield* new InvalidRunError({
    message: isRun ? `the run in ${run.location} has not ended` : `${run.location} is no run folder`,
    file: run.location,
    field: "run",
    expected: "the folder of a finished run, with retriever/ in it",
    hint: isRun ? "resume it to its end" : "name the folder of a run",
  })
})

/** The retriever of a run's folder, wherever it lies. */
export const readRetriever = Effect.fnUntraced(function* (run: ReadFiles, options: ReadEncoderOptions = {}) {
  yield* checkHasRetriever(run)
  yield* checkRetrieverFiles(run)
  const { retriever } = yield* readRecord(run, "config.json", RunConfig)
  const query: Encoder = yield* readEncoder(filesBelow(run, "retriever"), options)
  const passage = retriever.untied ? yield* readEncoder(filesBelow(run, "passage-retriever"), options) : query
  const { similarity, temperature, maxLength, titles } = retriever
  const tower = towerOf(query)
  const opened: OpenedRetriever = {
    towers: { query: tower, passage: passage === query ? tower : towerOf(passage) },
    retrieval: {
      similarity,
      temperature,
      maxLength: typeof maxLength === "number" ? { query: maxLength, passage: maxLength } : maxLength,
      titles,
    },
  }
  return opened
})

/** Whether a run's folder has one of a model: one that has a file, or, where that cannot be listed, its settings. */
export const holdsFolder = (run: ReadFiles, folder: string) => {
  const { list } = run
  if (list === undefined) return holds(run, `${folder}/config.json`)
  return Effect.promise(() =>
    list(folder).then(
      (names) => names.length > 0,
      () => false,
    ),
  )
}
