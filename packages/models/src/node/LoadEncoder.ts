import { join } from "node:path"
import { readModel } from "@tandem/onnx"
import { Effect } from "effect"
import { InvalidEncoder, type ModelError, UnsupportedEncoder } from "../Errors.ts"
import { bertConfig, pickBertWeights } from "../encoder/Bert.ts"
import { bertType } from "../encoder/BertTypes.ts"
import type { Encoder, EncoderConfig, Pooling, Prompts } from "../encoder/Encoder.ts"
import { onnxEncoder, onnxEncoderConfig } from "../encoder/OnnxEncoder.ts"
import { weightsEncoder } from "../encoder/WeightsEncoder.ts"
import { readModules, readPoolingMode, readPrompts } from "../files/SentenceTransformers.ts"
import { attempt } from "../internal/Attempt.ts"
import { maxLengthOf } from "../internal/MaxLength.ts"
import { exists, readBytes, readJson, readJsonIfThere, readJsonList } from "../internal/node/Files.ts"
import { firstFile, readBeside } from "../internal/node/OnnxFiles.ts"
import { findWeights, readWeights } from "../internal/node/Weights.ts"
import { isRecord } from "../internal/Record.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import { type HubOptions, modelFolder } from "./Hub.ts"
import { loadTokenizer } from "./LoadTokenizer.ts"

/** What `loadEncoder` takes besides the directory. */
export interface LoadEncoderOptions {
  /** What to take where a directory holds safetensors and ONNX: `weights` where absent, if their architecture is known. */
  readonly prefer?: "weights" | "onnx"
  /** Overrides what the model's files say; a plain transformer without such files is pooled by the mean. */
  readonly pooling?: Pooling
  readonly prompts?: Prompts
  readonly maxLength?: number
}

type Json = Readonly<Record<string, unknown>>

/**
 * Loads an encoder from a directory as Hugging Face, sentence-transformers and transformers.js lay them out:
 * `config.json`, a tokenizer (`tokenizer.json` or `vocab.txt`), and weights: `model.safetensors` of a BERT, DistilBERT
 * or DPR model, or an ONNX model of any architecture (`onnx/model.onnx` or `model.onnx`, data files beside it).
 * Pooling, normalisation, prompts and the maximum length are those of the sentence-transformers files; DPR's is the
 * first token, anything else the mean, without normalisation.
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
export const loadEncoder = Effect.fn("loadEncoder")(function* (
  directory: string,
  options: LoadEncoderOptions = {},
): Effect.fn.Return<Encoder, ModelError> {
  const huggingFace = yield* readJson(join(directory, "config.json"))
  const tokenizer = yield* loadTokenizer(directory)
  const settings = yield* loadSettings(directory, huggingFace, tokenizer)
  const pooling = options.pooling ?? settings.pooling
  const prompts = options.prompts ?? settings.prompts
  const maxLength = options.maxLength ?? settings.maxLength
  const common = { tokenizer, pooling, prompts, maxLength, huggingFace }

  const modelFile = yield* firstFile(directory, ["onnx/model.onnx", "model.onnx"])
  const hasWeights = (yield* findWeights(directory)) !== undefined
  const known = bertType(huggingFace) !== undefined
  if (hasWeights && (known || modelFile === undefined) && !(options.prefer === "onnx" && modelFile !== undefined)) {
    const config = yield* attempt(() => bertConfig(huggingFace, join(directory, "config.json")))
    const read = yield* readWeights(directory)
    if (read === undefined) return yield* noModel(directory)
    return yield* attempt(() => {
      const weights = pickBertWeights(config, read.tensors, read.file)
      return weightsEncoder({ ...common, ...weights, config: withCase(config, tokenizer) })
    })
  }
  if (modelFile === undefined) return yield* noModel(directory)
  const path = join(directory, modelFile)
  const bytes = yield* readBytes(path)
  return yield* attempt(() => {
    const graph = readModel(bytes, { file: path, external: (location) => readBeside(path, location) })
    const config = withCase(known ? bertConfig(huggingFace) : onnxEncoderConfig(huggingFace), tokenizer)
    return onnxEncoder({ ...common, graph, config, directory, modelFile })
  })
})

const noModel = Effect.fnUntraced(function* (directory: string) {
  const pickled = yield* exists(join(directory, "pytorch_model.bin"))
  return yield* new InvalidEncoder({
    message: `${directory} holds no weights that can be read`,
    file: directory,
    expected: "model.safetensors, onnx/model.onnx or model.onnx",
    found: pickled ? "pytorch_model.bin" : "none of them",
    ...(pickled ? { hint: "save the model again as safetensors, or export it to ONNX" } : {}),
  })
})

const lowersCase = ({ files }: Tokenizer): boolean => {
  const normalizer = files.tokenizer["normalizer"]
  const lowers = isRecord(normalizer) && (normalizer["lowercase"] === true || normalizer["type"] === "Lowercase")
  return lowers || files.config["do_lower_case"] === true
}

const withCase = <C extends EncoderConfig>(config: C, tokenizer: Tokenizer): C => ({
  ...config,
  doLowerCase: lowersCase(tokenizer),
})

/** Pooling, prompts and length as the sentence-transformers files say. */
const loadSettings = Effect.fnUntraced(function* (directory: string, huggingFace: Json, tokenizer: Tokenizer) {
  const limits = (yield* readJsonIfThere(directory, "sentence_bert_config.json")) ?? {}
  const sentence = (yield* readJsonIfThere(directory, "config_sentence_transformers.json")) ?? {}
  const maxLength =
    maxLengthOf(limits["max_seq_length"]) ??
    maxLengthOf(tokenizer.files.config["model_max_length"]) ??
    Number.MAX_SAFE_INTEGER
  if (limits["do_lower_case"] === true && !lowersCase(tokenizer)) {
    return yield* new UnsupportedEncoder({
      message: "the model wants lower-cased texts and its tokenizer keeps the case",
      file: join(directory, "sentence_bert_config.json"),
      field: "do_lower_case",
    })
  }
  const prompts = readPrompts(sentence)
  const plain: Pooling = { mode: bertType(huggingFace)?.pooling ?? "mean", normalize: false }
  const modulesFile = join(directory, "modules.json")
  if (!(yield* exists(modulesFile))) return { maxLength, prompts, pooling: plain }
  const list = yield* readJsonList(modulesFile)
  const modules = yield* attempt(() => readModules(list, modulesFile))
  const path = modules.find((module) => module.kind === "Pooling")?.path ?? ""
  const poolingFile = join(directory, path, "config.json")
  const json = yield* readJson(poolingFile)
  if (json["include_prompt"] === false && prompts.query + prompts.passage !== "") {
    return yield* new UnsupportedEncoder({
      message: "the model leaves its prompts out of pooling",
      file: poolingFile,
      field: "include_prompt",
    })
  }
  const mode = yield* attempt(() => readPoolingMode(json, poolingFile))
  const normalize = modules.some((module) => module.kind === "Normalize")
  return { maxLength, prompts, pooling: { mode, normalize } }
})

/** Loads an encoder from a folder, or from the hub where no such folder is there and the text could be a hub id. */
export const openEncoder = Effect.fn("openEncoder")(function* (
  model: string,
  options: LoadEncoderOptions & HubOptions = {},
): Effect.fn.Return<Encoder, ModelError> {
  return yield* loadEncoder(yield* modelFolder(model, options), options)
})
