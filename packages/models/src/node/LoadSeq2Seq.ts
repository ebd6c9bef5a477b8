import { join } from "node:path"
import { Effect } from "effect"
import { InvalidLanguageModel, type ModelError, UnsupportedArchitecture } from "../Errors.ts"
import { attempt } from "../internal/Attempt.ts"
import { maxLengthOf } from "../internal/MaxLength.ts"
import { readCompanions } from "../internal/node/Companions.ts"
import { exists, readJsonIfThere } from "../internal/node/Files.ts"
import { asLanguageModel } from "../internal/node/LanguageModelErrors.ts"
import { readModelConfig } from "../internal/node/ModelConfig.ts"
import { readWeights } from "../internal/node/Weights.ts"
import type { Seq2Seq } from "../seq2seq/Seq2Seq.ts"
import { seq2seqConfig } from "../seq2seq/Seq2SeqConfig.ts"
import { pickSeq2SeqWeights } from "../seq2seq/Seq2SeqParameters.ts"
import { weightsSeq2Seq } from "../seq2seq/WeightsSeq2Seq.ts"
import { type HubOptions, modelFolder } from "./Hub.ts"
import { loadTokenizer } from "./LoadTokenizer.ts"

/** What `loadSeq2Seq` takes besides the directory. */
export interface LoadSeq2SeqOptions {
  /** Longest sequence in tokens on either side, at most the model's own. */
  readonly maxLength?: number
}

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
export const loadSeq2Seq = Effect.fn("loadSeq2Seq")(function* (
  directory: string,
  options: LoadSeq2SeqOptions = {},
): Effect.fn.Return<Seq2Seq, ModelError> {
  return yield* asLanguageModel(load(directory, options))
})

const load = Effect.fnUntraced(function* (
  directory: string,
  options: LoadSeq2SeqOptions,
): Effect.fn.Return<Seq2Seq, ModelError> {
  const configFile = join(directory, "config.json")
  const huggingFace = yield* readModelConfig(directory)
  const config = yield* attempt(() => seq2seqConfig(huggingFace, configFile))
  const tokenizer = yield* loadTokenizer(directory)
  const generation = yield* readJsonIfThere(directory, "generation_config.json")
  const read = yield* readWeights(directory)
  if (read === undefined) return yield* noWeights(directory)
  const files = yield* readCompanions(directory)
  const stated = maxLengthOf(options.maxLength ?? tokenizer.files.config["model_max_length"])
  const maxLength = stated === undefined ? {} : { maxLength: stated }
  return yield* attempt(() => {
    const weights = pickSeq2SeqWeights(config, read.tensors, read.file)
    return weightsSeq2Seq({ huggingFace, tokenizer, generation, files, ...maxLength, ...weights })
  })
})

const noWeights = Effect.fnUntraced(function* (directory: string) {
  const onnx = yield* exists(join(directory, "onnx/decoder_model_merged.onnx"))
  const pickled = yield* exists(join(directory, "pytorch_model.bin"))
  const details = {
    file: directory,
    expected: "model.safetensors, or model.safetensors.index.json with its files",
    found: onnx ? "ONNX files" : pickled ? "pytorch_model.bin" : "none of them",
  }
  if (onnx) {
    return yield* new UnsupportedArchitecture({
      message: `${directory} holds an encoder-decoder as ONNX files alone, which are not joined for training`,
      ...details,
      hint: "take the model's safetensors",
    })
  }
  return yield* new InvalidLanguageModel({
    message: `${directory} holds no weights that can be read`,
    ...details,
    ...(pickled ? { hint: "save the model again as safetensors" } : {}),
  })
})

/** Loads an encoder-decoder from a folder, or from the hub where no such folder is there and the text could be a hub id. */
export const openSeq2Seq = Effect.fn("openSeq2Seq")(function* (
  model: string,
  options: LoadSeq2SeqOptions & HubOptions = {},
): Effect.fn.Return<Seq2Seq, ModelError> {
  return yield* loadSeq2Seq(yield* asLanguageModel(modelFolder(model, options)), options)
})
