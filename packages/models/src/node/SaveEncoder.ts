import { readdir } from "node:fs/promises"
import { dirname, join, relative, resolve } from "node:path"
import { quantizeDynamic, readModel, type Tensor, writeBackExternal, writeModel } from "@tandem/onnx"
import { writeSafetensors } from "@tandem/safetensors"
import { Effect } from "effect"
import { InvalidEncoder, type ModelError, SaveFailed } from "../Errors.ts"
import { bertFamilies } from "../encoder/BertFamilies.ts"
import { bertInferenceGraph } from "../encoder/BertGraph.ts"
import { bertType } from "../encoder/BertTypes.ts"
import { type Encoder, type EncoderSource, embeddingSize } from "../encoder/Encoder.ts"
import { withCopies } from "../exported/TiedWeights.ts"
import { readSimilarity, sentenceTransformersFiles, similarityOf } from "../files/SentenceTransformers.ts"
import { attempt } from "../internal/Attempt.ts"
import { bytesAt, exists, readBytes, readJsonIfThere } from "../internal/node/Files.ts"
import { modelPath } from "../internal/node/ModelPath.ts"
import { type Content, writeDirectory } from "../internal/node/WriteDirectory.ts"
import { reasonOf, unreadable } from "../internal/Reading.ts"

type Weights = Extract<EncoderSource, { kind: "weights" }>
type Onnx = Extract<EncoderSource, { kind: "onnx" }>

/**
 * Saves an encoder with `parameters` as its weights (its own where absent), so that transformers.js'
 * `pipeline("feature-extraction", directory)` and sentence-transformers load it.
 *
 * - Own builds: `config.json`, tokenizer, sentence-transformers' files, `model.safetensors` under Hugging Face's names,
 *   `onnx/model.onnx` (fp32) and `onnx/model_quantized.onnx` (q8, what browsers take by default).
 * - ONNX models: a copy of their directory in which only the bytes of the weights differ in the model file and its data
 *   files, and a fresh `model_quantized.onnx`; where the encoder's `similarity` is another than their files say,
 *   sentence-transformers' files say it. Weights in other formats are left out, because they would be the old ones.
 *
 * `documents` are further texts by their paths, such as `README.md`; they take the place of a copied file.
 *
 * The directory is written aside and put in place at the end. An unwritable folder or a full disk ends in `SaveFailed`
 * and leaves what was there; weights that do not fit the model end in `InvalidEncoder` or `InvalidTensor`.
 *
 * @example
 * ```ts
 * import { tinyEncoder, trainWordPiece } from "@tandem/models"
 * import { saveEncoder } from "@tandem/models/node/SaveEncoder"
 * import { Effect } from "effect"
 *
 * const vocabulary = trainWordPiece(["the river was long", "the long river"], { vocabularySize: 60 })
 * await Effect.runPromise(saveEncoder("retriever", tinyEncoder({ seed: 0, vocabulary })))
 * ```
 */
export const saveEncoder = Effect.fn("saveEncoder")(function* (
  directory: string,
  encoder: Encoder,
  parameters: ReadonlyMap<string, Tensor> = encoder.parameters,
  documents: Readonly<Record<string, string>> = {},
): Effect.fn.Return<void, ModelError> {
  yield* attempt(() => checkParameters(encoder, parameters))
  const { source } = encoder
  const files =
    source.kind === "weights"
      ? yield* attempt(() => weightsFiles(encoder, source, parameters))
      : yield* onnxFiles(directory, encoder, source, parameters)
  const texts = Object.entries(documents).map(([path, text]) => [path, { text }] as const)
  yield* writeDirectory(directory, new Map<string, Content>([...files, ...texts]))
})

const checkParameters = (encoder: Encoder, parameters: ReadonlyMap<string, Tensor>): void => {
  for (const [name, { dims }] of encoder.parameters) {
    const found = parameters.get(name)
    if (found === undefined || found.dims.join() !== dims.join()) {
      throw new InvalidEncoder({
        message: `the weights to save do not fit the model at ${name}`,
        tensor: name,
        expected: `[${dims}]`,
        found: found === undefined ? "nothing" : `[${found.dims}]`,
      })
    }
  }
}

const weightsFiles = (
  encoder: Encoder,
  source: Weights,
  parameters: ReadonlyMap<string, Tensor>,
): ReadonlyMap<string, Content> => {
  const { tokenizer, pooling, prompts, maxLength } = encoder
  const { config } = source
  const graph = bertInferenceGraph(config, parameters)
  const { huggingFace, tensors } = bareModel(source, parameters)
  const sentence = sentenceTransformersFiles({
    pooling,
    prompts,
    maxLength,
    embeddingSize: embeddingSize(config),
    similarity: encoder.similarity,
  })
  const json = (documents: Readonly<Record<string, unknown>>): readonly (readonly [string, Content])[] =>
    Object.entries(documents).map(([path, document]) => [path, { json: document }])
  return new Map<string, Content>([
    ...json({
      "config.json": huggingFace,
      "tokenizer.json": tokenizer.files.tokenizer,
      "tokenizer_config.json": { ...tokenizer.files.config, model_max_length: maxLength },
      ...sentence,
    }),
    ["model.safetensors", { bytes: writeSafetensors(tensors, { format: "pt" }) }],
    ["onnx/model.onnx", { bytes: writeModel(graph) }],
    ["onnx/model_quantized.onnx", { bytes: writeModel(quantizeDynamic(graph)) }],
  ])
}

/**
 * The config and tensors of the encoder alone: the prefix of a task's head goes, and with it the head. DPR's own prefix
 * stays, because DPR's classes look for it.
 */
const bareModel = (source: Weights, parameters: ReadonlyMap<string, Tensor>) => {
  const { config, huggingFace, prefix, unused } = source
  if (prefix === "" || bertType(huggingFace)?.keepsPrefix === true) {
    const named = [...parameters].map(([name, value]) => {
      const outer = name.startsWith("encode_proj.") ? prefix.replace(/bert_model\.$/, "") : prefix
      return [outer + name, value] as const
    })
    return { huggingFace, tensors: new Map([...unused, ...named]) }
  }
  const kept = [...unused].filter(([name]) => name.startsWith(prefix))
  return {
    huggingFace: { ...huggingFace, architectures: [bertFamilies[config.family].bareClass] },
    tensors: new Map([...kept.map(([name, value]) => [name.slice(prefix.length), value] as const), ...parameters]),
  }
}

/** Files that hold weights in any format, which a saved copy must not take over as they are. */
const weightFile = /\.(onnx|onnx_data(_\d+)?|safetensors|bin|pt|pth|h5|msgpack|ot|gguf|tflite)$|\.index\.json$/

const onnxFiles = Effect.fnUntraced(function* (
  directory: string,
  encoder: Encoder,
  source: Onnx,
  parameters: ReadonlyMap<string, Tensor>,
): Effect.fn.Return<ReadonlyMap<string, Content>, ModelError> {
  if (resolve(directory) === resolve(source.directory)) {
    return yield* new SaveFailed({
      message: "a model cannot be saved over the directory that it was loaded from",
      file: directory,
      hint: "name another directory",
    })
  }
  const modelFile = join(source.directory, source.modelFile)
  const folder = dirname(modelFile)
  const bytes = yield* readBytes(modelFile)
  const others = yield* Effect.tryPromise({
    try: () => readdir(source.directory, { recursive: true, withFileTypes: true }),
    catch: (error) =>
      new InvalidEncoder({
        message: `${source.directory} cannot be read: ${reasonOf(error)}`,
        file: source.directory,
      }),
  })
  const copies = others
    .filter((entry) => entry.isFile() && !weightFile.test(entry.name))
    .map((entry) => relative(source.directory, join(entry.parentPath, entry.name)))
    .filter((path) => !path.split(/[/\\]/).some((part) => part.startsWith(".")))
  const settings = yield* similarityFiles(source.directory, encoder)
  return yield* attempt(() => {
    const external = (location: string): Uint8Array => readData(join(folder, location))
    const written = writeBackExternal(bytes, withCopies(parameters, source.tied), { file: modelFile, external })
    const dataFiles = new Map([...written.files].map(([name, data]) => [name, { bytes: data }] as const))
    const graph = readModel(written.model, {
      file: modelFile,
      external: (location) => dataFiles.get(location)?.bytes ?? external(location),
    })
    const place = dirname(source.modelFile)
    return new Map<string, Content>([
      ...copies.map((path) => [path, { copyOf: join(source.directory, path) }] as const),
      ...settings,
      ...[...dataFiles].map(([name, content]) => [join(place, name), content] as const),
      [source.modelFile, { bytes: written.model }],
      [join(place, "model_quantized.onnx"), { bytes: writeModel(quantizeDynamic(graph)) }],
    ])
  })
})

/** What has to differ from the files of an ONNX directory, so that they say how the encoder's embeddings are compared. */
const similarityFiles = Effect.fnUntraced(function* (
  directory: string,
  encoder: Encoder,
): Effect.fn.Return<readonly (readonly [string, Content])[], ModelError> {
  const { pooling, prompts, maxLength, config, similarity = similarityOf(pooling) } = encoder
  const name = "config_sentence_transformers.json"
  const stated = yield* readJsonIfThere(directory, name)
  const before = yield* attempt(() => readSimilarity(stated ?? {}, join(directory, name)))
  if (similarity === (before ?? similarityOf(pooling))) return []
  if (stated !== undefined || (yield* exists(join(directory, "modules.json")))) {
    return [[name, { json: { ...stated, similarity_fn_name: similarity } }]]
  }
  const files = sentenceTransformersFiles({
    pooling,
    prompts,
    maxLength,
    similarity,
    embeddingSize: embeddingSize(config),
  })
  return Object.entries(files).map(([path, json]) => [path, { json }] as const)
})

const readData = (file: string): Uint8Array => {
  try {
    return bytesAt(modelPath(file))
  } catch (error) {
    throw unreadable(file, error)
  }
}
