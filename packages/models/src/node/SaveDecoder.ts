import { readdir } from "node:fs/promises"
import { dirname, join, relative, resolve } from "node:path"
import { readModel, type Tensor, writeBackExternal } from "@tandem/onnx"
import { safetensorsParts } from "@tandem/safetensors"
import { Effect } from "effect"
import type { Decoder, LanguageModelSource } from "../decoder/Decoder.ts"
import { decoderInferenceGraph } from "../decoder/DecoderInference.ts"
import { dequantizeWeights } from "../decoder/QuantizedDecoder.ts"
import { InvalidLanguageModel, type ModelError, SaveFailed } from "../Errors.ts"
import { withCopies } from "../exported/TiedWeights.ts"
import { attempt } from "../internal/Attempt.ts"
import { asLanguageModel } from "../internal/LanguageModelErrors.ts"
import { readBeside, readBytes } from "../internal/node/Files.ts"
import {
  type FourBits,
  halfTypes,
  onnxVariants,
  type SavedType,
  withTransformersJs,
} from "../internal/node/OnnxVariants.ts"
import { type Content, writeDirectory } from "../internal/node/WriteDirectory.ts"
import { reasonOf } from "../internal/Reading.ts"

type Weights = Extract<LanguageModelSource, { kind: "weights" }>
type Onnx = Extract<LanguageModelSource, { kind: "onnx" }>
type Parameters = ReadonlyMap<string, Tensor>

/** What `saveDecoder` takes besides the model and its weights. */
export interface SaveDecoderOptions {
  /**
   * Precisions of the ONNX files; `fp32`, `fp16` and `q8` where absent. `q4` has the weights of products in 4 bits
   * (`quantizeBlocks`), `q4f16` all else in 16.
   */
  readonly types?: readonly SavedType[]
  /** How `q4` and `q4f16` store weights; as the decoder's are where it has some of 4 bits, else symmetric blocks of 32. */
  readonly fourBits?: FourBits
  /** Models of more bytes keep their weights in data files, of at most so many bytes each; 1.9 · 10⁹ where absent. */
  readonly largestFile?: number
  /** Further files of the directory by name, JSON documents. */
  readonly beside?: Readonly<Record<string, unknown>>
}

/** What language models are saved in where nothing else is said. */
export const everyType: readonly SavedType[] = ["fp32", "fp16", "q8"]

/**
 * Saves a decoder with `parameters` as its weights (its own where absent), so that transformers.js'
 * `pipeline("text-generation", directory)` and Python's transformers load it.
 *
 * - Own builds: `config.json`, `generation_config.json`, tokenizer, `model.safetensors` under Hugging Face's names, and
 *   with a key-value cache `onnx/model.onnx` (fp32), `model_fp16.onnx` and `model_quantized.onnx` (q8); `model_q4.onnx` and
 *   `model_q4f16.onnx` where they are asked for.
 * - ONNX models: a copy of their directory in which only the bytes of the weights differ in the model file and its data
 *   files, with fresh files of the lower precisions. Weights in other formats are left out, because they would be the
 *   old ones; so are precisions of 16 bits for models with subgraphs. A file whose weights are quantised already is
 *   copied alone, without other precisions.
 *
 * Of a decoder that `quantizeWeights` made, files of floats hold what its weights stand for, and those of 4 bits the same
 * codes and scales again where blocks are symmetric. `parameters` may have codes, scales and zero points by their names in
 * `frozen`, as merged adapters leave them. Where adapters are merged into the weights of `dequantizeWeights` instead, files
 * of floats hold them exactly, and files of 4 bits are quantised once.
 *
 * The directory is written aside and put in place at the end. An unwritable folder or a full disk ends in `SaveFailed`
 * and leaves what was there; weights that do not fit the model end in `InvalidLanguageModel` or `InvalidTensor`.
 */
export const saveDecoder = Effect.fn("saveDecoder")(function* (
  directory: string,
  decoder: Decoder,
  parameters: Parameters = decoder.parameters,
  options: SaveDecoderOptions = {},
): Effect.fn.Return<void, ModelError> {
  const { source, quantized, frozen } = decoder
  yield* attempt(() => checkParameters(decoder.parameters, parameters))
  const [whole, weights] =
    quantized === undefined ? [decoder, parameters] : yield* attempt(() => inFloats(decoder, parameters))
  const settings = { ...options, fourBits: options.fourBits ?? fourBitsOf(decoder) }
  const files =
    source.kind === "weights"
      ? yield* attempt(() => weightsFiles(whole, source, weights, settings))
      : quantized === undefined && frozen.size > 0
        ? yield* asLanguageModel(onnxFiles(directory, source, weights, { ...settings, types: [] }))
        : yield* asLanguageModel(onnxFiles(directory, source, weights, settings))
  yield* writeDirectory(directory, withFiles(files, options))
})

/** The files of a directory with those that stand beside a model. */
export const withFiles = (
  files: ReadonlyMap<string, Content>,
  { beside = {} }: SaveDecoderOptions,
): ReadonlyMap<string, Content> =>
  new Map([...files, ...Object.entries(beside).map(([name, json]) => [name, { json }] as const)])

/** The decoder with floats in place of quantised weights, and all of its weights by name. */
const inFloats = (decoder: Decoder, parameters: Parameters): readonly [Decoder, Parameters] => {
  const whole = dequantizeWeights(decoder, parameters)
  return [whole, new Map([...whole.parameters].map(([name, value]) => [name, parameters.get(name) ?? value]))]
}

/** How the decoder's own weights of 4 bits are stored. */
const fourBitsOf = ({ quantized }: Decoder): FourBits => {
  const own = [...(quantized?.blocks.values() ?? [])].find(({ bits }) => bits === 4)
  return own === undefined ? {} : { blockSize: own.blockSize, symmetric: own.zeroPoints === undefined }
}

/** Ends in `InvalidLanguageModel` where a weight is missing or has another shape than the model's own. */
export const checkParameters = (own: Parameters, parameters: Parameters): void => {
  for (const [name, { dims }] of own) {
    const found = parameters.get(name)
    if (found !== undefined && found.dims.join() === dims.join()) continue
    throw new InvalidLanguageModel({
      message: `the weights to save do not fit the model at ${name}`,
      tensor: name,
      expected: `[${dims}]`,
      found: found === undefined ? "nothing" : `[${found.dims}]`,
    })
  }
}

/** Tensors that a checkpoint may hold and that follow from config and weights. */
const derived = /(^|\.)(attn\.(masked_)?bias|rotary_emb\.inv_freq)$/

const weightsFiles = (
  decoder: Decoder,
  source: Weights,
  parameters: Parameters,
  { types = everyType, largestFile: largest, fourBits }: SaveDecoderOptions,
): ReadonlyMap<string, Content> => {
  const { config, tokenizer } = decoder
  if (config === undefined) throw new InvalidLanguageModel({ message: "the decoder has no config to save" })
  const { files, external } = onnxVariants(decoderInferenceGraph(config, parameters), "onnx/model", types, {
    largest,
    fourBits,
  })
  const stale = (name: string): boolean => derived.test(name) || (config.tiedEmbeddings && name === "lm_head.weight")
  const kept = [...source.unused].filter(([name]) => !stale(name))
  return new Map<string, Content>([
    ["config.json", { json: withTransformersJs(inFloat32(source.huggingFace), external, types) }],
    ["generation_config.json", { json: source.generation ?? ends(source.huggingFace) }],
    ["tokenizer.json", { json: tokenizer.files.tokenizer }],
    ["tokenizer_config.json", { json: tokenizer.files.config }],
    ...[...source.files].map(([name, text]) => [name, { text }] as const),
    ["model.safetensors", { parts: () => safetensorsParts(new Map([...kept, ...parameters]), { format: "pt" }) }],
    ...files,
  ])
}

/** The config of weights that are 32-bit floats now, whatever they were. */
export const inFloat32 = (config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    Object.entries(config).map(([name, value]) => [
      name,
      name === "dtype" || name === "torch_dtype" ? "float32" : value,
    ]),
  )

const ends = (config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    ["bos_token_id", "eos_token_id", "pad_token_id"].flatMap((name) =>
      config[name] === undefined || config[name] === null ? [] : [[name, config[name]]],
    ),
  )

/** Files that hold weights in any format, which a saved copy must not take over as they are. */
const weightFile = /\.(onnx|onnx_data(_\d+)?|safetensors|bin|pt|pth|h5|msgpack|ot|gguf|tflite)$|\.index\.json$/

const onnxFiles = Effect.fnUntraced(function* (
  directory: string,
  source: Onnx,
  parameters: Parameters,
  { types = everyType, largestFile: largest, fourBits }: SaveDecoderOptions,
): Effect.fn.Return<ReadonlyMap<string, Content>, ModelError> {
  if (resolve(directory) === resolve(source.directory)) {
    return yield* new SaveFailed({
      message: "a model cannot be saved over the directory that it was loaded from",
      file: directory,
      hint: "name another directory",
    })
  }
  const modelFile = join(source.directory, source.modelFile)
  const bytes = yield* readBytes(modelFile)
  const others = yield* Effect.tryPromise({
    try: () => readdir(source.directory, { recursive: true, withFileTypes: true }),
    catch: (error) =>
      new InvalidLanguageModel({
        message: `${source.directory} cannot be read: ${reasonOf(error)}`,
        file: source.directory,
      }),
  })
  const copies = others
    .filter((entry) => entry.isFile() && !weightFile.test(entry.name))
    .map((entry) => relative(source.directory, join(entry.parentPath, entry.name)))
    .filter((path) => path !== "config.json" && !path.split(/[/\\]/).some((part) => part.startsWith(".")))
  return yield* attempt(() => {
    const external = (location: string): Uint8Array => readBeside(modelFile, location)
    const written = writeBackExternal(bytes, withCopies(parameters, source.tied), { file: modelFile, external })
    const graph = readModel(written.model, {
      file: modelFile,
      external: (location) => written.files.get(location) ?? external(location),
    })
    const place = dirname(source.modelFile)
    const holdsSubgraph = graph.nodes.some((node) =>
      Object.values(node.attributes).some(({ kind }) => kind === "graph"),
    )
    const lower = types.filter((type) => type !== "fp32" && !(halfTypes.includes(type) && holdsSubgraph))
    const variants = onnxVariants(graph, source.modelFile.replace(/\.onnx$/, ""), lower, {
      largest,
      fourBits,
    })
    const own =
      written.files.size === 0
        ? {}
        : { [source.modelFile.slice(source.modelFile.lastIndexOf("/") + 1)]: written.files.size }
    return new Map<string, Content>([
      ...copies.map((path) => [path, { copyOf: join(source.directory, path) }] as const),
      ["config.json", { json: withTransformersJs(source.huggingFace, { ...own, ...variants.external }, lower) }],
      ...[...written.files].map(([name, data]) => [join(place, name), { bytes: data }] as const),
      [source.modelFile, { bytes: written.model }],
      ...variants.files,
    ])
  })
})
