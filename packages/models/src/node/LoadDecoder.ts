import { Effect } from "effect"
import type { Decoder } from "../decoder/Decoder.ts"
import type { ModelError } from "../Errors.ts"
import { type ReadDecoderOptions, readDecoder } from "../files/ReadDecoder.ts"
import { asLanguageModel } from "../internal/LanguageModelErrors.ts"
import { type HubOptions, modelFolder } from "./Hub.ts"
import { modelFiles } from "./ModelFiles.ts"

/** What `loadDecoder` takes besides the directory. */
export type LoadDecoderOptions = ReadDecoderOptions

/**
 * Loads a decoder-only language model from a directory as Hugging Face and transformers.js lay it out: `config.json`, a
 * tokenizer, and weights: safetensors (in one file, or in several with `model.safetensors.index.json`) of GPT-2 or the
 * Llama family, or an ONNX model of any architecture (`onnx/model.onnx` or `model.onnx`, data files beside it), with or
 * without a key-value cache. Where nothing but `model_q4.onnx` is there, its products are frozen (`Decoder.frozen`) and
 * adapters are trained over them.
 *
 * An architecture that this package does not build, without an ONNX file, ends in `UnsupportedArchitecture`; missing,
 * broken and contradicting files in errors that name file, field or tensor.
 *
 * @example
 * ```ts
 * import { tinyDecoder, trainWordPiece } from "@tandem/models"
 * import { loadDecoder } from "@tandem/models/node/LoadDecoder"
 * import { saveDecoder } from "@tandem/models/node/SaveDecoder"
 * import { Effect } from "effect"
 *
 * const vocabulary = trainWordPiece(["the river was long", "the long river"], { vocabularySize: 60 })
 * await Effect.runPromise(saveDecoder("generator", tinyDecoder({ seed: 0, vocabulary })))
 * const decoder = await Effect.runPromise(loadDecoder("generator"))
 * console.log(decoder.inputs) // [ "input_ids", "attention_mask" ]
 * ```
 */
export const loadDecoder = (directory: string, options: LoadDecoderOptions = {}): Effect.Effect<Decoder, ModelError> =>
  readDecoder(modelFiles(directory), options)

/** Loads a decoder from a folder, or from the hub where no such folder is there and the text could be a hub id. */
export const openDecoder = Effect.fn("openDecoder")(function* (
  model: string,
  options: LoadDecoderOptions & HubOptions = {},
): Effect.fn.Return<Decoder, ModelError> {
  return yield* loadDecoder(yield* asLanguageModel(modelFolder(model, options)), options)
})
