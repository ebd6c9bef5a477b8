import { elementCount, type Tensor } from "@tandem/onnx"
import { InvalidEncoder, UnsupportedEncoder } from "../Errors.ts"
import { toFloat32 } from "../Floats.ts"
import { isRecord } from "../internal/Record.ts"
import type { Parameter } from "../Parameter.ts"
import { type BlockNames, bertFamilies } from "./BertFamilies.ts"
import { bertType, encoderTypes } from "./BertTypes.ts"
import type { BertConfig, EncoderConfig } from "./Encoder.ts"

/** The names that Hugging Face gives to the weights of block `layer`. */
export const blockNames = ({ family }: BertConfig, layer: number): BlockNames => bertFamilies[family].blockNames(layer)

/** Every weight of a BERT-family encoder, in the order in which the model uses them. */
export const bertParameters = (config: BertConfig): readonly Parameter[] => {
  const { hiddenSize: hidden, intermediateSize: inner } = config
  const linear = (name: string, out: number, into: number): readonly Parameter[] => [
    { name: `${name}.weight`, dims: [out, into], role: "weight" },
    { name: `${name}.bias`, dims: [out], role: "bias" },
  ]
  const norm = (name: string): readonly Parameter[] => [
    { name: `${name}.weight`, dims: [hidden], role: "scale" },
    { name: `${name}.bias`, dims: [hidden], role: "bias" },
  ]
  const table = (name: string, rows: number): readonly Parameter[] =>
    rows === 0 ? [] : [{ name: `embeddings.${name}.weight`, dims: [rows, hidden], role: "embedding" }]
  return [
    ...table("word_embeddings", config.vocabularySize),
    ...table("position_embeddings", config.maxPositions),
    ...table("token_type_embeddings", config.typeVocabularySize),
    ...norm("embeddings.LayerNorm"),
    ...Array.from({ length: config.layers }, (_, layer) => {
      const names = blockNames(config, layer)
      return [
        ...linear(names.query, hidden, hidden),
        ...linear(names.key, hidden, hidden),
        ...linear(names.value, hidden, hidden),
        ...linear(names.attentionOutput, hidden, hidden),
        ...norm(names.attentionNorm),
        ...linear(names.intermediate, inner, hidden),
        ...linear(names.output, hidden, inner),
        ...norm(names.outputNorm),
      ]
    }).flat(),
    ...(config.projectionSize > 0 ? linear("encode_proj", config.projectionSize, hidden) : []),
  ]
}

const activations: Readonly<Record<string, EncoderConfig["activation"]>> = {
  gelu: "gelu",
  gelu_new: "gelu_tanh",
  gelu_fast: "gelu_tanh",
  gelu_pytorch_tanh: "gelu_tanh",
  relu: "relu",
}

/**
 * Reads the `config.json` of a BERT, DistilBERT or DPR model. Missing or impossible numbers end in `InvalidEncoder`,
 * other architectures and settings that change the mathematics in `UnsupportedEncoder`.
 */
export const bertConfig = (json: unknown, file = "config.json"): BertConfig => {
  if (!isRecord(json)) throw new InvalidEncoder({ message: "the model's config is not a JSON object", file })
  const type = bertType(json)
  if (type === undefined) {
    const found = json["model_type"] === undefined ? "nothing" : String(json["model_type"])
    throw new UnsupportedEncoder({
      message: `no graph is built for encoders of type ${found}`,
      file,
      field: "model_type",
      expected: encoderTypes.join(", "),
      found,
      hint: "use an ONNX export of the model: a directory with onnx/model.onnx",
    })
  }
  const number = (field: string, fallback: number | undefined, least: number): number => {
    const value = json[field] ?? fallback
    if (typeof value === "number" && value >= least) return value
    throw new InvalidEncoder({
      message: `${field} of the model's config is not a possible number`,
      file,
      field,
      expected: `a number of at least ${least}`,
      found: JSON.stringify(value),
    })
  }
  const refuse = (field: string, unsupported: boolean): void => {
    if (!unsupported) return
    const found = JSON.stringify(json[field])
    throw new UnsupportedEncoder({ message: `${field} of ${found} is not supported`, file, field, found })
  }
  const { family, projects } = type
  const { fields, segments } = bertFamilies[family]
  refuse("position_embedding_type", (json["position_embedding_type"] ?? "absolute") !== "absolute")
  refuse("is_decoder", json["is_decoder"] === true)
  const activation = activations[String(json[fields.activation] ?? "gelu")]
  refuse(fields.activation, activation === undefined)
  const config: BertConfig = {
    family,
    architecture: family,
    hiddenSize: number(fields.hiddenSize, undefined, 1),
    layers: number(fields.layers, undefined, 1),
    heads: number(fields.heads, undefined, 1),
    intermediateSize: number(fields.intermediateSize, undefined, 1),
    maxPositions: number("max_position_embeddings", 512, 1),
    vocabularySize: number("vocab_size", undefined, 1),
    typeVocabularySize: segments ? number("type_vocab_size", 2, 0) : 0,
    projectionSize: projects ? number("projection_dim", 0, 0) : 0,
    padTokenId: number("pad_token_id", 0, 0),
    layerNormEpsilon: number("layer_norm_eps", 1e-12, 0),
    activation: activation ?? "gelu",
    dropout: {
      hidden: number(fields.hiddenDropout, 0.1, 0),
      attention: number(fields.attentionDropout, 0.1, 0),
    },
    doLowerCase: true,
  }
  if (config.hiddenSize % config.heads !== 0) {
    throw new InvalidEncoder({
      message: "the hidden size is not a multiple of the number of heads",
      file,
      expected: `a multiple of ${config.heads}`,
      found: `${config.hiddenSize}`,
    })
  }
  return config
}

/** The weights of an encoder among the tensors of a file. */
export interface BertWeights {
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly prefix: string
  readonly unused: ReadonlyMap<string, Tensor>
}

const wordEmbeddings = "embeddings.word_embeddings.weight"

/**
 * Picks the weights that `config` needs out of a checkpoint, as `float32`. The prefix that a task's head or DPR puts
 * before the names (`bert.`, `question_encoder.bert_model.`) is found and left out; so are names of old conversions
 * (`LayerNorm.gamma`). A missing weight or one of another shape ends in `InvalidEncoder`.
 */
export const pickBertWeights = (
  config: BertConfig,
  tensors: ReadonlyMap<string, Tensor>,
  file = "model.safetensors",
): BertWeights => {
  const prefixes = [...tensors.keys()].filter((name) => name.endsWith(wordEmbeddings))
  const [first] = prefixes
  if (first === undefined || prefixes.length > 1) {
    throw new InvalidEncoder({
      message: first === undefined ? "the weights hold no encoder" : "the weights hold several encoders",
      file,
      tensor: wordEmbeddings,
      expected: "one tensor whose name ends so",
      found: `${prefixes.length}`,
    })
  }
  const prefix = first.slice(0, -wordEmbeddings.length)
  const used = new Set<string>()
  const find = (name: string): Tensor | undefined => {
    const outer = name.startsWith("encode_proj.") ? prefix.replace(/bert_model\.$/, "") : prefix
    const old = name.replace(/LayerNorm\.weight$/, "LayerNorm.gamma").replace(/LayerNorm\.bias$/, "LayerNorm.beta")
    const key = [outer + name, outer + old].find((candidate) => tensors.has(candidate))
    if (key === undefined) return undefined
    used.add(key)
    return tensors.get(key)
  }
  const parameters = new Map<string, Tensor>()
  for (const { name, dims } of bertParameters(config)) {
    const value = find(name)
    if (value === undefined) {
      throw new InvalidEncoder({ message: `the weights lack ${prefix}${name}`, file, tensor: prefix + name })
    }
    if (value.dims.join() !== dims.join()) {
      throw new InvalidEncoder({
        message: `tensor ${prefix}${name} has another shape than the model's config says`,
        file,
        tensor: prefix + name,
        expected: `[${dims}], ${elementCount(dims)} elements`,
        found: `[${value.dims}]`,
      })
    }
    parameters.set(name, toFloat32(value, prefix + name))
  }
  return { parameters, prefix, unused: new Map([...tensors].filter(([name]) => !used.has(name))) }
}
