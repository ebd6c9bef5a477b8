import { Effect } from "effect"
import type { ModelError } from "../Errors.ts"
import type { Encoder } from "../encoder/Encoder.ts"
import { type ReadEncoderOptions, readEncoder } from "../files/ReadEncoder.ts"
import { type HubOptions, modelFolder } from "./Hub.ts"
import { modelFiles } from "./ModelFiles.ts"

/** What `loadEncoder` takes besides the directory. */
export type LoadEncoderOptions = ReadEncoderOptions

/**
 * Loads an encoder from a directory as Hugging Face, sentence-transformers and transformers.js lay them out:
 * `config.json`, a tokenizer (`tokenizer.json` or `vocab.txt`), and weights: `model.safetensors` of a BERT, DistilBERT
 * or DPR model, or an ONNX model of any architecture (`onnx/model.onnx` or `model.onnx`, data files beside it).
 * Pooling, normalisation, prompts, the maximum length and how embeddings are compared are those of the
 * sentence-transformers files, of old versions too: `modules.json` says in which folder the transformer lies. A plain
 * DPR model is pooled by its first token, any other by the mean, without normalisation.
 *
 * Missing, broken and contradicting files are tagged errors that name file, field or tensor.
 *
 * @example
 * ```ts
 * import { tinyEncoder, trainWordPiece } from "@tandem/models"
 * import { loadEncoder } from "@tandem/models/node/LoadEncoder"
 * import { saveEncoder } from "@tandem/models/node/SaveEncoder"
 * import { Effect } from "effect"
 *
 * const vocabulary = trainWordPiece(["the river was long", "the long river"], { vocabularySize: 60 })
 * await Effect.runPromise(saveEncoder("model", tinyEncoder({ seed: 0, vocabulary })))
 * const encoder = await Effect.runPromise(loadEncoder("model"))
 * console.log(encoder.pooling) // { mode: "mean", normalize: true }
 * ```
 */
export const loadEncoder = (directory: string, options: LoadEncoderOptions = {}): Effect.Effect<Encoder, ModelError> =>
  readEncoder(modelFiles(directory), options)

/** Loads an encoder from a folder, or from the hub where no such folder is there and the text could be a hub id. */
export const openEncoder = Effect.fn("openEncoder")(function* (
  model: string,
  options: LoadEncoderOptions & HubOptions = {},
): Effect.fn.Return<Encoder, ModelError> {
  return yield* loadEncoder(yield* modelFolder(model, options), options)
})
