import { join } from "node:path"
import { Effect } from "effect"
import type { ModelError } from "../Errors.ts"
import { attempt } from "../internal/Attempt.ts"
import { maxLengthOf } from "../internal/MaxLength.ts"
import { exists, readJsonIfThere, readText } from "../internal/node/Files.ts"
import { makeTokenizer, type Tokenizer } from "../tokenizer/Tokenizer.ts"
import { readVocabulary, wordPieceFiles } from "../tokenizer/WordPieceFiles.ts"

/** The tokenizer of a directory: `tokenizer.json`, or BERT's around the word pieces of a `vocab.txt`. */
export const loadTokenizer = Effect.fn("loadTokenizer")(function* (
  directory: string,
): Effect.fn.Return<Tokenizer, ModelError> {
  const config = (yield* readJsonIfThere(directory, "tokenizer_config.json")) ?? {}
  const chat = join(directory, "chat_template.jinja")
  const beside = (yield* exists(chat)) ? { chatTemplate: yield* readText(chat) } : {}
  const file = join(directory, "tokenizer.json")
  const tokenizer = yield* readJsonIfThere(directory, "tokenizer.json")
  if (tokenizer !== undefined) return yield* attempt(() => makeTokenizer({ tokenizer, config, ...beside }, file))
  const vocabulary = join(directory, "vocab.txt")
  const text = yield* readText(vocabulary)
  return yield* attempt(() => {
    const maxLength = maxLengthOf(config["model_max_length"]) ?? 512
    const files = wordPieceFiles(readVocabulary(text), { lowerCase: config["do_lower_case"] !== false, maxLength })
    return makeTokenizer({ tokenizer: files.tokenizer, config: { ...files.config, ...config }, ...beside }, vocabulary)
  })
})
