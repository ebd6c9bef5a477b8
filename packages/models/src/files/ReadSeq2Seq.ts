import { fileName, type ReadFiles } from "@tandem/files"
import { Effect } from "effect"
import { InvalidLanguageModel, type ModelError, UnsupportedArchitecture } from "../Errors.ts"
import { attempt } from "../internal/Attempt.ts"
import { readCompanions } from "../internal/Companions.ts"
import { asLanguageModel } from "../internal/LanguageModelErrors.ts"
import { maxLengthOf } from "../internal/MaxLength.ts"
import { readModelConfig } from "../internal/ModelConfig.ts"
import { exists, readJsonIfThere } from "../internal/Reading.ts"
import { readWeights } from "../internal/Weights.ts"
import type { Seq2Seq } from "../seq2seq/Seq2Seq.ts"
import { seq2seqConfig } from "../seq2seq/Seq2SeqConfig.ts"
import { pickSeq2SeqWeights } from "../seq2seq/Seq2SeqParameters.ts"
import { weightsSeq2Seq } from "../seq2seq/WeightsSeq2Seq.ts"
import { readTokenizer } from "./ReadTokenizer.ts"

/** What `readSeq2Seq` takes besides the folder. */
export interface ReadSeq2SeqOptions {
  /** Longest sequence in tokens on either side, at most the model's own. */
  readonly maxLength?: number
}

/**
 * Reads an encoder-decoder language model from a folder, wherever it lies, as `loadSeq2Seq` of
 * `@tandem/models/node/LoadSeq2Seq` does from a directory.
 */
export const readSeq2Seq = Effect.fn("readSeq2Seq")(function* (
  files: ReadFiles,
  options: ReadSeq2SeqOptions = {},
): Effect.fn.Return<Seq2Seq, ModelError> {
  return yield* asLanguageModel(read(files, options))
})

const read = Effect.fnUntraced(function* (
  files: ReadFiles,
  options: ReadSeq2SeqOptions,
): Effect.fn.Return<Seq2Seq, ModelError> {
  const configFile = fileName(files, "config.json")
  const huggingFace = yield* readModelConfig(files)
  const config = yield* attempt(() => seq2seqConfig(huggingFace, configFile))
  const tokenizer = yield* readTokenizer(files)
  const generation = yield* readJsonIfThere(files, "generation_config.json")
  const weights = yield* readWeights(files)
  if (weights === undefined) return yield* noWeights(files)
  const companions = yield* readCompanions(files)
  const stated = maxLengthOf(options.maxLength ?? tokenizer.files.config["model_max_length"])
  const maxLength = stated === undefined ? {} : { maxLength: stated }
  return yield* attempt(() => {
    const picked = pickSeq2SeqWeights(config, weights.tensors, weights.file)
    return weightsSeq2Seq({ huggingFace, tokenizer, generation, files: companions, ...maxLength, ...picked })
  })
})

const noWeights = Effect.fnUntraced(function* (files: ReadFiles) {
  const onnx = yield* exists(files, "onnx/decoder_model_merged.onnx")
  const pickled = yield* exists(files, "pytorch_model.bin")
  const { location } = files
  const details = {
    file: location,
    expected: "model.safetensors, or model.safetensors.index.json with its files",
    found: onnx ? "ONNX files" : pickled ? "pytorch_model.bin" : "none of them",
  }
  if (onnx) {
    return yield* new UnsupportedArchitecture({
      message: `${location} holds an encoder-decoder as ONNX files alone, which are not joined for training`,
      ...details,
      hint: "take the model's safetensors",
    })
  }
  return yield* new InvalidLanguageModel({
    message: `${location} holds no weights that can be read`,
    ...details,
    ...(pickled ? { hint: "save the model again as safetensors" } : {}),
  })
})
