import { fileName, filesBelow, type ReadFiles } from "@tandem/files"
import { Effect } from "effect"
import { InvalidEncoder, InvalidTokenizer, type ModelError } from "../Errors.ts"
import { bertConfig, pickBertWeights } from "../encoder/Bert.ts"
import { bertType } from "../encoder/BertTypes.ts"
import type { Encoder, EncoderConfig, Pooling, Prompts } from "../encoder/Encoder.ts"
import { onnxEncoder, onnxEncoderConfig } from "../encoder/OnnxEncoder.ts"
import { weightsEncoder } from "../encoder/WeightsEncoder.ts"
import { attempt } from "../internal/Attempt.ts"
import { encoderSettings, lowersCase, readModuleList } from "../internal/EncoderSettings.ts"
import { readModelConfig } from "../internal/ModelConfig.ts"
import { readGraph } from "../internal/OnnxGraph.ts"
import { otherWeights } from "../internal/OtherWeights.ts"
import { firstFile } from "../internal/Reading.ts"
import { findWeights, readWeights } from "../internal/Weights.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import { readTokenizer } from "./ReadTokenizer.ts"

/** What `readEncoder` takes besides the folder. */
export interface ReadEncoderOptions {
  /** What to take where a folder holds safetensors and ONNX: `weights` where absent, if their architecture is known. */
  readonly prefer?: "weights" | "onnx"
  /** Overrides what the model's files say; a plain transformer without such files is pooled by the mean. */
  readonly pooling?: Pooling
  readonly prompts?: Prompts
  readonly maxLength?: number
}

/**
 * Reads an encoder from a folder, wherever it lies, as `loadEncoder` of `@tandem/models/node/LoadEncoder` does from a
 * directory.
 */
export const readEncoder = Effect.fn("readEncoder")(function* (
  files: ReadFiles,
  options: ReadEncoderOptions = {},
): Effect.fn.Return<Encoder, ModelError> {
  const modules = yield* readModuleList(files)
  const place = modules?.find(({ kind }) => kind === "Transformer")?.path ?? ""
  const transformer = place === "" ? files : filesBelow(files, place)
  const huggingFace = yield* readModelConfig(transformer)
  const modelFile = yield* firstFile(files, [
    ...new Set(
      [place, ""].flatMap((folder) =>
        ["onnx/model.onnx", "model.onnx"].map((name) => (folder === "" ? name : `${folder}/${name}`)),
      ),
    ),
  ])
  const hasWeights = (yield* findWeights(transformer)) !== undefined
  const known = bertType(huggingFace) !== undefined
  const fromWeights =
    hasWeights && (known || modelFile === undefined) && !(options.prefer === "onnx" && modelFile !== undefined)
  // The model is on its way while the tokenizer is made.
  const [tokenizer, graph] = yield* Effect.all(
    [
      readTokenizer(transformer),
      fromWeights || modelFile === undefined ? Effect.succeed(undefined) : readGraph(files, modelFile),
    ],
    { concurrency: 2 },
  )
  const settings = yield* encoderSettings({ files, transformer, modules, huggingFace, tokenizer })
  const pooling = options.pooling ?? settings.pooling
  const prompts = options.prompts ?? settings.prompts
  const maxLength = options.maxLength ?? settings.maxLength
  const common = { tokenizer, pooling, prompts, maxLength, similarity: settings.similarity, huggingFace }

  if (fromWeights) {
    const config = yield* attempt(() => bertConfig(huggingFace, fileName(transformer, "config.json")))
    const read = yield* readWeights(transformer)
    if (read === undefined) return yield* noModel(transformer)
    const encoder = yield* attempt(() => {
      const weights = pickBertWeights(config, read.tensors, read.file)
      return weightsEncoder({ ...common, ...weights, config: withCase(config, tokenizer) })
    })
    return yield* withRowsForTokens(encoder, transformer)
  }
  if (graph === undefined || modelFile === undefined) return yield* noModel(transformer)
  const encoder = yield* attempt(() => {
    const config = withCase(known ? bertConfig(huggingFace) : onnxEncoderConfig(huggingFace), tokenizer)
    return onnxEncoder({ ...common, graph, config, directory: files.location, modelFile })
  })
  return yield* withRowsForTokens(encoder, transformer)
})

/** The encoder, if its table of embeddings has a row for every token of its tokenizer. */
const withRowsForTokens = Effect.fnUntraced(function* (encoder: Encoder, files: ReadFiles) {
  const { token, id } = encoder.tokenizer.lastToken
  const rows = encoder.config.vocabularySize
  if (rows === 0 || id < rows) return encoder
  const file = (yield* firstFile(files, ["tokenizer.json"])) ?? "vocab.txt"
  return yield* new InvalidTokenizer({
    message: `the token ${token} (id ${id}) has no row in the model's table of ${rows} embeddings`,
    file: fileName(files, file),
    field: token,
    expected: `ids below ${rows}`,
    found: `${id}`,
    hint: "take the tokenizer that the model was trained with, or a model whose table was enlarged for it",
  })
})

const noModel = Effect.fnUntraced(function* (files: ReadFiles) {
  return yield* new InvalidEncoder({
    message: `${files.location} holds no weights that can be read`,
    file: files.location,
    expected: "model.safetensors, onnx/model.onnx or model.onnx",
    ...(yield* otherWeights(files)),
  })
})

const withCase = <C extends EncoderConfig>(config: C, tokenizer: Tokenizer): C => ({
  ...config,
  doLowerCase: lowersCase(tokenizer),
})
