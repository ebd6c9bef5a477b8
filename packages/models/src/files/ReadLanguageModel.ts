import type { ReadFiles } from "@tandem/files"
import { Effect } from "effect"
import type { ModelError } from "../Errors.ts"
import { asLanguageModel } from "../internal/LanguageModelErrors.ts"
import { readModelConfig } from "../internal/ModelConfig.ts"
import type { LanguageModel } from "../LanguageModel.ts"
import { modelKind } from "./ModelTypes.ts"
import { type ReadDecoderOptions, readDecoder } from "./ReadDecoder.ts"
import { readSeq2Seq } from "./ReadSeq2Seq.ts"

/** Reads a language model from a folder wherever it lies: `readSeq2Seq` where its config says so, else `readDecoder`. */
export const readLanguageModel = Effect.fn("readLanguageModel")(function* (
  files: ReadFiles,
  options: ReadDecoderOptions = {},
): Effect.fn.Return<LanguageModel, ModelError> {
  const config = yield* asLanguageModel(readModelConfig(files))
  return config["is_encoder_decoder"] === true || modelKind(config["model_type"]) === "seq2seq"
    ? yield* readSeq2Seq(files, options)
    : yield* readDecoder(files, options)
})
