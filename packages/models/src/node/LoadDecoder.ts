import { join } from "node:path"
import { readModel } from "@tandem/onnx"
import { Effect } from "effect"
import type { Decoder } from "../decoder/Decoder.ts"
import { decoderConfig, decoderTypes } from "../decoder/DecoderConfig.ts"
import { pickDecoderWeights } from "../decoder/DecoderParameters.ts"
import { onnxDecoder } from "../decoder/OnnxDecoder.ts"
import { weightsDecoder } from "../decoder/WeightsDecoder.ts"
import { InvalidLanguageModel, type ModelError, UnsupportedArchitecture } from "../Errors.ts"
import { attempt } from "../internal/Attempt.ts"
import { maxLengthOf } from "../internal/MaxLength.ts"
import { readCompanions } from "../internal/node/Companions.ts"
import { readBytes, readJsonIfThere } from "../internal/node/Files.ts"
import { asLanguageModel } from "../internal/node/LanguageModelErrors.ts"
import { readModelConfig } from "../internal/node/ModelConfig.ts"
import { firstFile, readBeside } from "../internal/node/OnnxFiles.ts"
import { otherWeights } from "../internal/node/OtherWeights.ts"
import { findWeights, readWeights } from "../internal/node/Weights.ts"
import { type HubOptions, modelFolder } from "./Hub.ts"
import { loadTokenizer } from "./LoadTokenizer.ts"

/** What `loadDecoder` takes besides the directory. */
export interface LoadDecoderOptions {
  /** What to take where a directory holds safetensors and ONNX: `weights` where absent, if their architecture is known. */
  readonly prefer?: "weights" | "onnx"
  /** Longest sequence in tokens, at most the model's own. */
  readonly maxLength?: number
}

/** Weights of floats first; those of 4 bits are frozen. */
const modelFiles = [
  "onnx/model.onnx",
  "model.onnx",
  "onnx/decoder_model_merged.onnx",
  "onnx/model_q4.onnx",
  "model_q4.onnx",
]

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
export const loadDecoder = Effect.fn("loadDecoder")(function* (
  directory: string,
  options: LoadDecoderOptions = {},
): Effect.fn.Return<Decoder, ModelError> {
  return yield* asLanguageModel(load(directory, options))
})

const load = Effect.fnUntraced(function* (
  directory: string,
  options: LoadDecoderOptions,
): Effect.fn.Return<Decoder, ModelError> {
  const configFile = join(directory, "config.json")
  const huggingFace = yield* readModelConfig(directory)
  const known = decoderTypes.includes(String(huggingFace["model_type"]))
  if (huggingFace["is_encoder_decoder"] === true) {
    return yield* new UnsupportedArchitecture({
      message: `${directory} holds an encoder and a decoder`,
      file: configFile,
      field: "is_encoder_decoder",
      expected: "a decoder alone",
      found: String(huggingFace["model_type"]),
    })
  }
  const tokenizer = yield* loadTokenizer(directory)
  const generation = yield* readJsonIfThere(directory, "generation_config.json")
  const stated = maxLengthOf(options.maxLength ?? tokenizer.files.config["model_max_length"])
  const maxLength = stated === undefined ? {} : { maxLength: stated }
  const common = { huggingFace, tokenizer, generation, ...maxLength }
  const modelFile = yield* firstFile(directory, modelFiles)
  const hasWeights = (yield* findWeights(directory)) !== undefined
  if (hasWeights && (known || modelFile === undefined) && !(options.prefer === "onnx" && modelFile !== undefined)) {
    const config = yield* attempt(() => decoderConfig(huggingFace, configFile))
    const read = yield* readWeights(directory)
    const files = yield* readCompanions(directory)
    return yield* attempt(() => {
      const weights = pickDecoderWeights(config, read?.tensors ?? new Map(), read?.file)
      return weightsDecoder({ ...common, ...weights, config, files })
    })
  }
  if (modelFile === undefined) return yield* noModel(directory)
  const path = join(directory, modelFile)
  const bytes = yield* readBytes(path)
  return yield* attempt(() => {
    const graph = readModel(bytes, { file: path, external: (location) => readBeside(path, location) })
    return onnxDecoder({ ...common, graph, directory, modelFile })
  })
})

const noModel = Effect.fnUntraced(function* (directory: string) {
  return yield* new InvalidLanguageModel({
    message: `${directory} holds no weights that can be read`,
    file: directory,
    expected: "model.safetensors, model.safetensors.index.json with its files, or onnx/model.onnx",
    ...(yield* otherWeights(directory)),
  })
})

/** Loads a decoder from a folder, or from the hub where no such folder is there and the text could be a hub id. */
export const openDecoder = Effect.fn("openDecoder")(function* (
  model: string,
  options: LoadDecoderOptions & HubOptions = {},
): Effect.fn.Return<Decoder, ModelError> {
  return yield* loadDecoder(yield* asLanguageModel(modelFolder(model, options)), options)
})
