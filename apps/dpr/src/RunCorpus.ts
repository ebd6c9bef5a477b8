import { type RunOptions, SettingsError } from "@tandem/runs"
import { hashPath, readRecord } from "@tandem/runs/node/RunFiles"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect, Schema } from "effect"
import { loadData, wholeCorpus } from "./DprData.ts"
import { DprSettings } from "./Settings.ts"

/** The part of a run's `config.json` that its data are read by again. */
const Recorded = Schema.Struct({
  settings: Schema.Record(Schema.String, Schema.Unknown),
  data: Schema.Record(Schema.String, Schema.String),
})

/** The passages that a run trained and was measured with, read again; files that have changed since are warned about. */
export const runCorpus = Effect.fnUntraced(function* (run: string, { observe }: RunOptions) {
  const { config } = runPaths(run)
  const { settings, data } = yield* readRecord(config, Recorded)
  const decoded = yield* Schema.decodeUnknownEffect(DprSettings)(settings).pipe(
    Effect.mapError(
      () =>
        new SettingsError({
          message: "the settings of this run are those of another version: its passages cannot be found",
          file: config,
          field: "settings",
          hint: "name the passages with `corpus`",
        }),
    ),
  )
  const { warnings, ...read } = yield* loadData(decoded)
  for (const message of warnings) yield* observe({ event: "warning", message })
  for (const [file, before] of Object.entries(data)) {
    if ((yield* hashPath(file)) !== before) {
      yield* observe({ event: "warning", message: `${file} has changed since the run was trained` })
    }
  }
  return wholeCorpus({ ...read, warnings })
})
