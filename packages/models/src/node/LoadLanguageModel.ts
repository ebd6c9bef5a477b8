import { Effect } from "effect"
import type { ModelError } from "../Errors.ts"
import { readLanguageModel } from "../files/ReadLanguageModel.ts"
import { asLanguageModel } from "../internal/LanguageModelErrors.ts"
import type { LanguageModel } from "../LanguageModel.ts"
import { type HubOptions, modelFolder } from "./Hub.ts"
import type { LoadDecoderOptions } from "./LoadDecoder.ts"
import { modelFiles } from "./ModelFiles.ts"

/** Loads a language model from a directory: `loadSeq2Seq` where its config says so, else `loadDecoder`. */
export const loadLanguageModel = (
  directory: string,
  options: LoadDecoderOptions = {},
): Effect.Effect<LanguageModel, ModelError> => readLanguageModel(modelFiles(directory), options)

/** Loads a language model from a folder, or from the hub where no such folder is there and the text could be a hub id. */
export const openLanguageModel = Effect.fn("openLanguageModel")(function* (
  model: string,
  options: LoadDecoderOptions & HubOptions = {},
): Effect.fn.Return<LanguageModel, ModelError> {
  return yield* loadLanguageModel(yield* asLanguageModel(modelFolder(model, options)), options)
})
