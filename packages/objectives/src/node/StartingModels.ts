import { existsSync } from "node:fs"
import { join } from "node:path"
import { SettingsError } from "@tandem/runs"
import { runPaths } from "@tandem/runs/node/RunFolder"
import { Effect } from "effect"
import type { RetrieverSettings } from "../retrieval/RetrieverFields.ts"

/** The models that a run starts from, as folders, hub ids or `tiny`. */
export interface StartingModels {
  readonly query: string
  /** Absent where one model starts both towers. */
  readonly passage: string | undefined
  /** Whether one model starts two towers of their own. */
  readonly untied: boolean
}

/** Which models the settings name: by `retriever`, by `queryEncoder` and `passageEncoder`, or by `model`. */
export const startingModels = Effect.fnUntraced(function* (
  settings: RetrieverSettings,
): Effect.fn.Return<StartingModels, SettingsError> {
  if (settings.retriever !== undefined) return yield* ofRun(settings.retriever, settings.untied)
  const query = settings.queryEncoder ?? settings.model
  if (query === undefined) {
    return yield* new SettingsError({
      message: "no model was named",
      field: "model",
      expected: "model (a folder, a hub id, tiny), queryEncoder with passageEncoder, or retriever (a run)",
      found: "none of them",
    })
  }
  return { query, passage: settings.passageEncoder, untied: settings.untied || settings.queryEncoder !== undefined }
})

const ofRun = Effect.fnUntraced(function* (
  run: string,
  untied: boolean,
): Effect.fn.Return<StartingModels, SettingsError> {
  const { retriever, passageRetriever } = runPaths(run)
  if (existsSync(join(run, "config.json")) && !existsSync(retriever) && existsSync(join(run, "tokenizer.json"))) {
    return { query: run, passage: undefined, untied }
  }
  if (!existsSync(retriever)) {
    return yield* new SettingsError({
      message: `${run} holds no trained encoder`,
      file: run,
      field: "retriever",
      expected: "the folder of a finished run, with retriever/ in it",
      found: existsSync(run) ? "a folder without it" : "nothing",
    })
  }
  return { query: retriever, passage: existsSync(passageRetriever) ? passageRetriever : undefined, untied }
})
