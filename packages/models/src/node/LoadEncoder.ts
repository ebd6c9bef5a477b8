import { join } from "node:path"
import { readModel } from "@tandem/onnx"
import { Effect } from "effect"
import { InvalidEncoder, InvalidTokenizer, type ModelError } from "../Errors.ts"
import { bertConfig, pickBertWeights } from "../encoder/Bert.ts"
import { bertType } from "../encoder/BertTypes.ts"
import type { Encoder, EncoderConfig, Pooling, Prompts } from "../encoder/Encoder.ts"
import { onnxEncoder, onnxEncoderConfig } from "../encoder/OnnxEncoder.ts"
import { weightsEncoder } from "../encoder/WeightsEncoder.ts"
import { attempt } from "../internal/Attempt.ts"
import { encoderSettings, lowersCase, readModuleList } from "../internal/node/EncoderSettings.ts"
import { readBytes } from "../internal/node/Files.ts"
import { readModelConfig } from "../internal/node/ModelConfig.ts"
import { firstFile, readBeside } from "../internal/node/OnnxFiles.ts"
import { otherWeights } from "../internal/node/OtherWeights.ts"
import { findWeights, readWeights } from "../internal/node/Weights.ts"
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
export const loadEncoder = Effect.fn("loadEncoder")(function* (
  directory: string,
  options: LoadEncoderOptions = {},
): Effect.fn.Return<Encoder, ModelError> {
  const modules = yield* readModuleList(directory)
  const place = modules?.find(({ kind }) => kind === "Transformer")?.path ?? ""
  const transformer = join(directory, place)
  const huggingFace = yield* readModelConfig(transformer)
  const tokenizer = yield* loadTokenizer(transformer)
  const settings = yield* encoderSettings({ directory, transformer, modules, huggingFace, tokenizer })
  const pooling = options.pooling ?? settings.pooling
  const prompts = options.prompts ?? settings.prompts
  const maxLength = options.maxLength ?? settings.maxLength
  const common = { tokenizer, pooling, prompts, maxLength, similarity: settings.similarity, huggingFace }

  const modelFile = yield* firstFile(directory, [
    ...new Set([place, ""].flatMap((folder) => ["onnx/model.onnx", "model.onnx"].map((name) => join(folder, name)))),
  ])
  const hasWeights = (yield* findWeights(transformer)) !== undefined
  const known = bertType(huggingFace) !== undefined
  if (hasWeights && (known || modelFile === undefined) && !(options.prefer === "onnx" && modelFile !== undefined)) {
    const config = yield* attempt(() => bertConfig(huggingFace, join(transformer, "config.json")))
    const read = yield* readWeights(transformer)
    if (read === undefined) return yield* noModel(transformer)
    const encoder = yield* attempt(() => {
      const weights = pickBertWeights(config, read.tensors, read.file)
      return weightsEncoder({ ...common, ...weights, config: withCase(config, tokenizer) })
    })
    return yield* withRowsForTokens(encoder, transformer)
  }
  if (modelFile === undefined) return yield* noModel(transformer)
  const path = join(directory, modelFile)
  const bytes = yield* readBytes(path)
  const encoder = yield* attempt(() => {
    const graph = readModel(bytes, { file: path, external: (location) => readBeside(path, location) })
    const config = withCase(known ? bertConfig(huggingFace) : onnxEncoderConfig(huggingFace), tokenizer)
    return onnxEncoder({ ...common, graph, config, directory, modelFile })
  })
  return yield* withRowsForTokens(encoder, transformer)
})

/** The encoder, if its table of embeddings has a row for every token of its tokenizer. */
const withRowsForTokens = Effect.fnUntraced(function* (encoder: Encoder, folder: string) {
  const { token, id } = encoder.tokenizer.lastToken
  const rows = encoder.config.vocabularySize
  if (rows === 0 || id < rows) return encoder
  const file = (yield* firstFile(folder, ["tokenizer.json"])) ?? "vocab.txt"
  return yield* new InvalidTokenizer({
    message: `the token ${token} (id ${id}) has no row in the model's table of ${rows} embeddings`,
    file: join(folder, file),
    field: token,
    expected: `ids below ${rows}`,
    found: `${id}`,
    hint: "take the tokenizer that the model was trained with, or a model whose table was enlarged for it",
  })
})

const noModel = Effect.fnUntraced(function* (directory: string) {
  return yield* new InvalidEncoder({
    message: `${directory} holds no weights that can be read`,
    file: directory,
    expected: "model.safetensors, onnx/model.onnx or model.onnx",
    ...(yield* otherWeights(directory)),
  })
})

const withCase = <C extends EncoderConfig>(config: C, tokenizer: Tokenizer): C => ({
  ...config,
  doLowerCase: lowersCase(tokenizer),
})

/** Loads an encoder from a folder, or from the hub where no such folder is there and the text could be a hub id. */
export const openEncoder = Effect.fn("openEncoder")(function* (
  model: string,
  options: LoadEncoderOptions & HubOptions = {},
): Effect.fn.Return<Encoder, ModelError> {
  return yield* loadEncoder(yield* modelFolder(model, options), options)
})
