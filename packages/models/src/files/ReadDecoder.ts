import { fileName, type ReadFiles } from "@tandem/files"
import { Effect } from "effect"
import type { Decoder } from "../decoder/Decoder.ts"
import { decoderConfig, decoderTypes } from "../decoder/DecoderConfig.ts"
import { pickDecoderWeights } from "../decoder/DecoderParameters.ts"
import { onnxDecoder } from "../decoder/OnnxDecoder.ts"
import { weightsDecoder } from "../decoder/WeightsDecoder.ts"
import { InvalidLanguageModel, type ModelError, UnsupportedArchitecture } from "../Errors.ts"
import { attempt } from "../internal/Attempt.ts"
import { readCompanions } from "../internal/Companions.ts"
import { asLanguageModel } from "../internal/LanguageModelErrors.ts"
import { maxLengthOf } from "../internal/MaxLength.ts"
import { readModelConfig } from "../internal/ModelConfig.ts"
import { readGraph } from "../internal/OnnxGraph.ts"
import { otherWeights } from "../internal/OtherWeights.ts"
import { firstFile, readJsonIfThere } from "../internal/Reading.ts"
import { findWeights, readWeights } from "../internal/Weights.ts"
import { readTokenizer } from "./ReadTokenizer.ts"

/** What `readDecoder` takes besides the folder. */
export interface ReadDecoderOptions {
  /** What to take where a folder holds safetensors and ONNX: `weights` where absent, if their architecture is known. */
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
 * Reads a decoder-only language model from a folder, wherever it lies, as `loadDecoder` of `@tandem/models/node/LoadDecoder`
 * does from a directory.
 */
export const readDecoder = Effect.fn("readDecoder")(function* (
  files: ReadFiles,
  options: ReadDecoderOptions = {},
): Effect.fn.Return<Decoder, ModelError> {
  return yield* asLanguageModel(read(files, options))
})

const read = Effect.fnUntraced(function* (
  files: ReadFiles,
  options: ReadDecoderOptions,
): Effect.fn.Return<Decoder, ModelError> {
  const { location } = files
  const configFile = fileName(files, "config.json")
  const huggingFace = yield* readModelConfig(files)
  const known = decoderTypes.includes(String(huggingFace["model_type"]))
  if (huggingFace["is_encoder_decoder"] === true) {
    return yield* new UnsupportedArchitecture({
      message: `${location} holds an encoder and a decoder`,
      file: configFile,
      field: "is_encoder_decoder",
      expected: "a decoder alone",
      found: String(huggingFace["model_type"]),
    })
  }
  const tokenizer = yield* readTokenizer(files)
  const generation = yield* readJsonIfThere(files, "generation_config.json")
  const stated = maxLengthOf(options.maxLength ?? tokenizer.files.config["model_max_length"])
  const maxLength = stated === undefined ? {} : { maxLength: stated }
  const common = { huggingFace, tokenizer, generation, ...maxLength }
  const modelFile = yield* firstFile(files, modelFiles)
  const hasWeights = (yield* findWeights(files)) !== undefined
  if (hasWeights && (known || modelFile === undefined) && !(options.prefer === "onnx" && modelFile !== undefined)) {
    const config = yield* attempt(() => decoderConfig(huggingFace, configFile))
    const weights = yield* readWeights(files)
    const companions = yield* readCompanions(files)
    return yield* attempt(() => {
      const picked = pickDecoderWeights(config, weights?.tensors ?? new Map(), weights?.file)
      return weightsDecoder({ ...common, ...picked, config, files: companions })
    })
  }
  if (modelFile === undefined) return yield* noModel(files)
  const graph = yield* readGraph(files, modelFile)
  return yield* attempt(() => onnxDecoder({ ...common, graph, directory: location, modelFile }))
})

const noModel = Effect.fnUntraced(function* (files: ReadFiles) {
  return yield* new InvalidLanguageModel({
    message: `${files.location} holds no weights that can be read`,
    file: files.location,
    expected: "model.safetensors, model.safetensors.index.json with its files, or onnx/model.onnx",
    ...(yield* otherWeights(files)),
  })
})
