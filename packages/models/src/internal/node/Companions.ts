import { join } from "node:path"
import { Effect } from "effect"
import { exists, readText } from "./Files.ts"

/** Small files that go along with a language model. */
const companions = ["chat_template.jinja", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"]

/** The texts of those that a directory holds, by name. */
export const readCompanions = Effect.fnUntraced(function* (directory: string) {
  const files = new Map<string, string>()
  for (const name of companions) {
    if (yield* exists(join(directory, name))) files.set(name, yield* readText(join(directory, name)))
  }
  return files
})
