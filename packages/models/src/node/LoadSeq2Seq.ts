import { Effect } from "effect"
import type { ModelError } from "../Errors.ts"
import { type ReadSeq2SeqOptions, readSeq2Seq } from "../files/ReadSeq2Seq.ts"
import { asLanguageModel } from "../internal/LanguageModelErrors.ts"
import type { Seq2Seq } from "../seq2seq/Seq2Seq.ts"
import { type HubOptions, modelFolder } from "./Hub.ts"
import { modelFiles } from "./ModelFiles.ts"

/** What `loadSeq2Seq` takes besides the directory. */
export type LoadSeq2SeqOptions = ReadSeq2SeqOptions

/**
 * Loads an encoder-decoder language model from a directory as Hugging Face lays it out: `config.json`, a tokenizer, and
 * the safetensors (in one file, or in several with `model.safetensors.index.json`) of T5, mT5, BART, mBART, Marian or
 * Pegasus.
 *
 * An architecture that this package does not build, and a directory with ONNX files alone, end in
 * `UnsupportedArchitecture`; missing, broken and contradicting files in errors that name file, field or tensor.
 *
 * @example
 * ```ts
 * import { tinySeq2Seq, trainWordPiece } from "@tandem/models"
 * import { saveSeq2Seq } from "@tandem/models/node/SaveSeq2Seq"
 * import { loadSeq2Seq } from "@tandem/models/node/LoadSeq2Seq"
 * import { Effect } from "effect"
 *
 * const vocabulary = trainWordPiece(["the river was long", "the long river"], { vocabularySize: 60 })
 * await Effect.runPromise(saveSeq2Seq("generator", tinySeq2Seq({ seed: 0, vocabulary })))
 * const model = await Effect.runPromise(loadSeq2Seq("generator"))
 * console.log(model.inputs.length) // 4
 * ```
 */
export const loadSeq2Seq = (directory: string, options: LoadSeq2SeqOptions = {}): Effect.Effect<Seq2Seq, ModelError> =>
  readSeq2Seq(modelFiles(directory), options)

/** Loads an encoder-decoder from a folder, or from the hub where no such folder is there and the text could be a hub id. */
export const openSeq2Seq = Effect.fn("openSeq2Seq")(function* (
  model: string,
  options: LoadSeq2SeqOptions & HubOptions = {},
): Effect.fn.Return<Seq2Seq, ModelError> {
  return yield* loadSeq2Seq(yield* asLanguageModel(modelFolder(model, options)), options)
})
