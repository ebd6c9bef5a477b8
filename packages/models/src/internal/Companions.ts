import type { ReadFiles } from "@tandem/files"
import { Effect } from "effect"
import { exists, readText } from "./Reading.ts"

/** Small files that go along with a language model. */
const companions = ["chat_template.jinja", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt"]

/** The texts of those that a folder holds, by name. */
export const readCompanions = Effect.fnUntraced(function* (files: ReadFiles) {
  const texts = new Map<string, string>()
  for (const name of companions) if (yield* exists(files, name)) texts.set(name, yield* readText(files, name))
  return texts
})
