import { join } from "node:path"
import { Effect } from "effect"
import { peftConfigFile } from "../../adapter/PeftConfig.ts"
import { InvalidEncoder } from "../../Errors.ts"
import { exists, readJson, readJsonIfThere } from "./Files.ts"

/** The `config.json` of a model's directory; one that holds adapters alone is named for what it is. */
export const readModelConfig = Effect.fnUntraced(function* (directory: string) {
  const file = join(directory, "config.json")
  if (yield* exists(file)) return yield* readJson(file)
  const adapter = yield* readJsonIfThere(directory, peftConfigFile)
  if (adapter === undefined) return yield* readJson(file)
  const base = adapter["base_model_name_or_path"]
  return yield* new InvalidEncoder({
    message: `${directory} holds adapters without the model that they belong to`,
    file: join(directory, peftConfigFile),
    field: "base_model_name_or_path",
    expected: "a whole model: config.json, a tokenizer and weights",
    found: typeof base === "string" ? `adapters for ${base}` : "adapters for a model that is not named",
    hint: "merge them into their base model with PEFT's merge_and_unload(), and save the result",
  })
})
