import { Effect } from "effect"
import type { ModelError } from "../Errors.ts"
import { modelKind } from "../files/ModelTypes.ts"
import { asLanguageModel } from "../internal/node/LanguageModelErrors.ts"
import { readModelConfig } from "../internal/node/ModelConfig.ts"
import type { LanguageModel } from "../LanguageModel.ts"
import { type HubOptions, modelFolder } from "./Hub.ts"
import { type LoadDecoderOptions, loadDecoder } from "./LoadDecoder.ts"
import { loadSeq2Seq } from "./LoadSeq2Seq.ts"

/** Loads a language model from a directory: `loadSeq2Seq` where its config says so, else `loadDecoder`. */
export const loadLanguageModel = Effect.fn("loadLanguageModel")(function* (
  directory: string,
  options: LoadDecoderOptions = {},
): Effect.fn.Return<LanguageModel, ModelError> {
  const config = yield* asLanguageModel(readModelConfig(directory))
  return config["is_encoder_decoder"] === true || modelKind(config["model_type"]) === "seq2seq"
    ? yield* loadSeq2Seq(directory, options)
    : yield* loadDecoder(directory, options)
})

/** Loads a language model from a folder, or from the hub where no such folder is there and the text could be a hub id. */
export const openLanguageModel = Effect.fn("openLanguageModel")(function* (
  model: string,
  options: LoadDecoderOptions & HubOptions = {},
): Effect.fn.Return<LanguageModel, ModelError> {
  return yield* loadLanguageModel(yield* asLanguageModel(modelFolder(model, options)), options)
})
