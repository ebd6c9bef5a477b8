import { fileName, type ReadFiles } from "@tandem/files"
import { Effect } from "effect"
import { peftConfigFile } from "../adapter/PeftConfig.ts"
import { InvalidEncoder } from "../Errors.ts"
import { readJson, readJsonIfThere } from "./Reading.ts"

/** The `config.json` of a model's folder; one that holds adapters alone is named for what it is. */
export const readModelConfig = Effect.fnUntraced(function* (files: ReadFiles) {
  const name = "config.json"
  const config = yield* readJsonIfThere(files, name)
  if (config !== undefined) return config
  const adapter = yield* readJsonIfThere(files, peftConfigFile)
  if (adapter === undefined) return yield* readJson(files, name)
  const base = adapter["base_model_name_or_path"]
  return yield* new InvalidEncoder({
    message: `${files.location} holds adapters without the model that they belong to`,
    file: fileName(files, peftConfigFile),
    field: "base_model_name_or_path",
    expected: "a whole model: config.json, a tokenizer and weights",
    found: typeof base === "string" ? `adapters for ${base}` : "adapters for a model that is not named",
    hint: "merge them into their base model with PEFT's merge_and_unload(), and save the result",
  })
})
