import { fileName, filesBelow, type ReadFiles } from "@tandem/files"
import { holdsFolder } from "@tandem/objectives/retrieval/ReadRetriever"
import { InvalidRunError, type RunFolderError } from "@tandem/runs/Errors"
import { holds, readJson, readRecord } from "@tandem/runs/ReadRun"
import { Effect, Schema } from "effect"

const Config = Schema.Struct({
  format: Schema.Literal(1),
  command: Schema.String,
  generator: Schema.optionalKey(
    Schema.Struct({
      kEval: Schema.optionalKey(Schema.Number),
      loss: Schema.optionalKey(Schema.Literals(["rag-token", "rag-sequence"])),
      renewEvery: Schema.optionalKey(Schema.NullOr(Schema.Number)),
    }),
  ),
})

/** The part of a run's `config.json` that says how it answers. */
export type RunConfig = typeof Config.Type

/** The table of `dual train`, whose halves are runs of their own. */
const Rounds = Schema.Struct({
  format: Schema.Literal(1),
  command: Schema.Literal("dual train"),
  rows: Schema.Array(Schema.Struct({ round: Schema.Number, trained: Schema.String })),
})

/** The runs that a folder consists of: one, one with a reader's below it (`tune`), or the last halves of `dual train`. */
export interface RunHalves {
  readonly retriever: ReadFiles
  readonly generator: ReadFiles
}

const Format = Schema.Struct({ format: Schema.Number })

/** What a folder of a run says that it is. One that is missing, damaged or of another format ends in `InvalidRun`. */
export const runHalves = Effect.fnUntraced(function* (
  run: ReadFiles,
): Effect.fn.Return<RunHalves, InvalidRunError | RunFolderError> {
  if (yield* holds(run, "config.json")) {
    const isApart = !(yield* holdsFolder(run, "generator")) && (yield* holdsFolder(run, "reader/generator"))
    return { retriever: run, generator: isApart ? filesBelow(run, "reader") : run }
  }
  if (!(yield* holds(run, "report.json"))) {
    return yield* new InvalidRunError({
      message: `${run.location} is no run folder`,
      file: run.location,
      field: "run",
      expected: "the folder of a finished run, with config.json in it",
      found: "no config.json",
    })
  }
  const { rows } = yield* readRecord(run, "report.json", Rounds)
  const last = (trained: string): string => {
    const round = Math.max(1, ...rows.filter((row) => row.trained === trained).map((row) => row.round))
    return `round-${round}-${trained}`
  }
  return { retriever: filesBelow(run, last("retriever")), generator: filesBelow(run, last("reader")) }
})

/** How a run answers, as its `config.json` says. */
export const runConfig = Effect.fnUntraced(function* (
  run: ReadFiles,
): Effect.fn.Return<RunConfig, InvalidRunError | RunFolderError> {
  const json = yield* readJson(run, "config.json")
  const known = Schema.is(Format)(json) ? json.format : undefined
  if (known !== undefined && known !== 1) {
    return yield* new InvalidRunError({
      message: `the run in ${run.location} is of format ${known}, which this version does not read`,
      file: fileName(run, "config.json"),
      field: "format",
      expected: "1",
      found: `${known}`,
      hint: "take the version of tandem that made the run, or a newer one",
    })
  }
  return yield* readRecord(run, "config.json", Config)
})
