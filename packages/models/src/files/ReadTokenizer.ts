import { fileName, type ReadFiles } from "@tandem/files"
import { Effect } from "effect"
import type { ModelError } from "../Errors.ts"
import { attempt } from "../internal/Attempt.ts"
import { maxLengthOf } from "../internal/MaxLength.ts"
import { readJsonIfThere, readText, readTextIfThere } from "../internal/Reading.ts"
import { makeTokenizer, type Tokenizer } from "../tokenizer/Tokenizer.ts"
import { readVocabulary, wordPieceFiles } from "../tokenizer/WordPieceFiles.ts"

/** The tokenizer of a folder: `tokenizer.json`, or BERT's around the word pieces of a `vocab.txt`. */
export const readTokenizer = Effect.fn("readTokenizer")(function* (
  files: ReadFiles,
): Effect.fn.Return<Tokenizer, ModelError> {
  const config = (yield* readJsonIfThere(files, "tokenizer_config.json")) ?? {}
  const chatTemplate = yield* readTextIfThere(files, "chat_template.jinja")
  const beside = chatTemplate === undefined ? {} : { chatTemplate }
  const file = fileName(files, "tokenizer.json")
  const tokenizer = yield* readJsonIfThere(files, "tokenizer.json")
  if (tokenizer !== undefined) return yield* attempt(() => makeTokenizer({ tokenizer, config, ...beside }, file))
  const vocabulary = fileName(files, "vocab.txt")
  const text = yield* readText(files, "vocab.txt")
  return yield* attempt(() => {
    const maxLength = maxLengthOf(config["model_max_length"]) ?? 512
    const made = wordPieceFiles(readVocabulary(text), { lowerCase: config["do_lower_case"] !== false, maxLength })
    return makeTokenizer({ tokenizer: made.tokenizer, config: { ...made.config, ...config }, ...beside }, vocabulary)
  })
})
