import type { Effect } from "effect"
import type { ModelError } from "../Errors.ts"
import { readTokenizer } from "../files/ReadTokenizer.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import { modelFiles } from "./ModelFiles.ts"

/** The tokenizer of a directory: `tokenizer.json`, or BERT's around the word pieces of a `vocab.txt`. */
export const loadTokenizer = (directory: string): Effect.Effect<Tokenizer, ModelError> =>
  readTokenizer(modelFiles(directory))
