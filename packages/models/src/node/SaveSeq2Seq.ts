import type { Tensor } from "@tandem/onnx"
import { safetensorsParts } from "@tandem/safetensors"
import { Effect } from "effect"
import type { ModelError } from "../Errors.ts"
import { attempt } from "../internal/Attempt.ts"
import { halfTypes, onnxVariants, type SavedType, withTransformersJs } from "../internal/node/OnnxVariants.ts"
import { type Content, writeDirectory } from "../internal/node/WriteDirectory.ts"
import type { Seq2Seq } from "../seq2seq/Seq2Seq.ts"
import { seq2seqDecoderInferenceGraph, seq2seqEncoderInferenceGraph } from "../seq2seq/Seq2SeqInference.ts"
import { checkParameters, everyType, inFloat32, type SaveDecoderOptions, withFiles } from "./SaveDecoder.ts"

type Parameters = ReadonlyMap<string, Tensor>

/**
 * Saves an encoder-decoder with `parameters` as its weights (its own where absent), so that transformers.js'
 * `pipeline("text2text-generation", directory)` and Python's transformers load it: `config.json`,
 * `generation_config.json`, tokenizer, `model.safetensors` under Hugging Face's names, and with key-value caches
 * `onnx/encoder_model.onnx` and `onnx/decoder_model_merged.onnx` (fp32), the same with `_fp16` and with `_quantized` (q8).
 *
 * The directory is written aside and put in place at the end. An unwritable folder or a full disk ends in `SaveFailed`
 * and leaves what was there; weights that do not fit the model end in `InvalidLanguageModel` or `InvalidTensor`.
 */
export const saveSeq2Seq = Effect.fn("saveSeq2Seq")(function* (
  directory: string,
  model: Seq2Seq,
  parameters: Parameters = model.parameters,
  options: SaveDecoderOptions = {},
): Effect.fn.Return<void, ModelError> {
  const files = yield* attempt(() => {
    checkParameters(model.parameters, parameters)
    return filesOf(model, parameters, options)
  })
  yield* writeDirectory(directory, withFiles(files, options))
})

const filesOf = (
  { config, source, buffers, tokenizer }: Seq2Seq,
  parameters: Parameters,
  { types = everyType, largestFile: largest, fourBits }: SaveDecoderOptions,
): ReadonlyMap<string, Content> => {
  const variants = (["encoder_model", "decoder_model_merged"] as const).flatMap((stem) => {
    const build = stem === "encoder_model" ? seq2seqEncoderInferenceGraph : seq2seqDecoderInferenceGraph
    const made = (bounded: boolean, wanted: readonly SavedType[]) =>
      onnxVariants(build({ config, parameters, buffers, bounded }), `onnx/${stem}`, wanted, { largest, fourBits })
    const half = types.filter((type) => halfTypes.includes(type))
    const others = types.filter((type) => !halfTypes.includes(type))
    return [...(half.length === 0 ? [] : [made(true, half)]), ...(others.length === 0 ? [] : [made(false, others)])]
  })
  const external = Object.assign({}, ...variants.map((variant) => variant.external))
  const tensors = new Map([...source.unused, ...buffers, ...parameters])
  return new Map<string, Content>([
    ["config.json", { json: withTransformersJs(inFloat32(source.huggingFace), external, types) }],
    ["generation_config.json", { json: source.generation ?? generationOf(source.huggingFace) }],
    ["tokenizer.json", { json: tokenizer.files.tokenizer }],
    ["tokenizer_config.json", { json: tokenizer.files.config }],
    ...[...source.files].map(([name, text]) => [name, { text }] as const),
    ["model.safetensors", { parts: () => safetensorsParts(tensors, { format: "pt" }) }],
    ...variants.flatMap(({ files }) => files),
  ])
}

/** What older configs say of generation, as a file of its own. */
const generationOf = (config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    [
      "bos_token_id",
      "eos_token_id",
      "pad_token_id",
      "decoder_start_token_id",
      "forced_bos_token_id",
      "forced_eos_token_id",
    ]
      .filter((name) => config[name] !== undefined && config[name] !== null)
      .map((name) => [name, config[name]]),
  )
