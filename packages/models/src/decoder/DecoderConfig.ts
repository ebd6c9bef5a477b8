import { InvalidLanguageModel } from "../Errors.ts"
import { activations } from "../internal/Blocks.ts"
import { type ConfigFields, configFields } from "../internal/ConfigFields.ts"
import { isRecord } from "../internal/Record.ts"
import type { DecoderConfig, DecoderLayer } from "./Decoder.ts"
import { type LlamaType, llamaTypes } from "./LlamaTypes.ts"
import { type Rope, readRope } from "./Rope.ts"

/**
 * Reads the `config.json` of a decoder-only language model: GPT-2, and the Llama family (Llama, SmolLM, Mistral, Qwen2,
 * Qwen3, Granite, OLMo 2, Phi-3, Gemma), as transformers 4 and 5 write it. Missing or impossible numbers end in `InvalidLanguageModel`, other
 * architectures and settings that change the mathematics in `UnsupportedArchitecture`.
 */
export const decoderConfig = (json: unknown, file = "config.json"): DecoderConfig => {
  const fields = configFields(json, file)
  fields.refuse("quantization_config", isRecord(fields.json["quantization_config"]), "take the model's full weights")
  const read = fields.modelType(
    "language models",
    readers,
    "use an ONNX export of the model: a directory with onnx/model.onnx",
  )
  const config = read(fields)
  const { heads, keyValueHeads } = config
  if (heads % keyValueHeads !== 0) {
    throw new InvalidLanguageModel({
      message: "the number of heads is not a multiple of the number of key and value heads",
      file,
      field: "num_key_value_heads",
      expected: `a divisor of ${heads}`,
      found: `${keyValueHeads}`,
    })
  }
  return config
}

const gpt2Config = (fields: ConfigFields): DecoderConfig => {
  fields.refuse("add_cross_attention", fields.boolean("add_cross_attention", false))
  const hiddenSize = fields.count(["n_embd", "hidden_size"], 768, 1)
  const heads = fields.count(["n_head", "num_attention_heads"], 12, 1)
  const scaled = fields.boolean("scale_attn_weights", true)
  const byDepth = fields.boolean("scale_attn_by_inverse_layer_idx", false)
  const headSize = divided(fields, hiddenSize, heads)
  const layers = Array.from({ length: fields.count(["n_layer", "num_hidden_layers"], 12, 1) }, (_, index) => ({
    window: undefined,
    rope: undefined,
    scale: (scaled ? headSize ** -0.5 : 1) / (byDepth ? index + 1 : 1),
  }))
  return {
    family: "gpt2",
    vocabularySize: fields.count("vocab_size", 50257, 1),
    hiddenSize,
    intermediateSize: fields.count("n_inner", 4 * hiddenSize, 1),
    heads,
    keyValueHeads: heads,
    headSize,
    maxPositions: fields.count(["n_positions", "max_position_embeddings"], 1024, 1),
    layers,
    activation: fields.choice("activation_function", "gelu_new", activations),
    normEpsilon: fields.number("layer_norm_epsilon", 1e-5, 0),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
    queryKeyNorms: "none",
    norms: "before",
    normOffset: 0,
    packed: true,
    embeddingScale: 1,
    residualScale: 1,
    logitScale: 1,
    scoreCap: undefined,
    logitCap: undefined,
    biases: { queryKeyValue: true, attentionOutput: true, feedForward: true },
    dropout: { hidden: fields.number("resid_pdrop", 0.1, 0), attention: fields.number("attn_pdrop", 0.1, 0) },
  }
}

const llamaConfig = (fields: ConfigFields, type: LlamaType): DecoderConfig => {
  fields.refuse("use_bidirectional_attention", fields.json["use_bidirectional_attention"] === true)
  const hiddenSize = fields.count("hidden_size", undefined, 1)
  const heads = fields.count("num_attention_heads", undefined, 1)
  const given = fields.json["head_dim"] ?? type.headSize
  const headSize = given === undefined ? divided(fields, hiddenSize, heads) : fields.count("head_dim", type.headSize, 1)
  const maxPositions = fields.count("max_position_embeddings", type.maxPositions, 1)
  const attentionBias = fields.boolean("attention_bias", false)
  const divisor = fields.number("query_pre_attn_scalar", type.scoreDivisor ?? headSize, 0)
  const isGranite = fields.json["attention_multiplier"] !== undefined
  const scale = isGranite ? fields.number("attention_multiplier", 1, 0) : divisor ** -0.5
  const named = fields.json["hidden_activation"]
  const activationField = named === undefined || named === null ? "hidden_act" : "hidden_activation"
  const usual = type.activation === "gelu_tanh" ? "gelu_pytorch_tanh" : "silu"
  return {
    family: "llama",
    vocabularySize: fields.count("vocab_size", undefined, 1),
    hiddenSize,
    intermediateSize: fields.count("intermediate_size", undefined, 1),
    heads,
    keyValueHeads: fields.count("num_key_value_heads", type.keyValueHeads ?? heads, 1),
    headSize,
    maxPositions,
    layers: llamaLayers(fields, type, scale, readRopes(fields, type, { headSize, maxPositions })),
    activation: fields.choice(activationField, usual, activations),
    normEpsilon: fields.number("rms_norm_eps", type.normEpsilon ?? 1e-6, 0),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", type.tied ?? false),
    queryKeyNorms: type.queryKeyNorms ?? "none",
    norms: type.norms ?? "before",
    normOffset: type.normOffset ?? 0,
    packed: type.packed ?? false,
    embeddingScale: fields.number("embedding_multiplier", type.scalesEmbeddings === true ? hiddenSize ** 0.5 : 1, 0),
    residualScale: fields.number("residual_multiplier", 1, 0),
    logitScale: 1 / fields.number("logits_scaling", 1, 0),
    scoreCap: cap(fields, "attn_logit_softcapping", type.scoreCap),
    logitCap: cap(fields, "final_logit_softcapping", type.logitCap),
    biases: {
      queryKeyValue: type.queryKeyValueBias ?? attentionBias,
      attentionOutput: type.queryKeyValueBias === true ? false : attentionBias,
      feedForward: fields.boolean("mlp_bias", false),
    },
    dropout: { hidden: fields.number("resid_pdrop", 0, 0), attention: fields.number("attention_dropout", 0, 0) },
  }
}

/** How the config of each `model_type` is read. */
const readers: Readonly<Record<string, (fields: ConfigFields) => DecoderConfig>> = {
  gpt2: gpt2Config,
  ...Object.fromEntries(
    Object.entries(llamaTypes).map(([name, type]) => [name, (fields: ConfigFields) => llamaConfig(fields, type)]),
  ),
}

/** The `model_type`s of decoder-only models that graphs are built for. */
export const decoderTypes: readonly string[] = Object.keys(readers)

/** A bound of scores or logits; `null` says that there is none, a missing field what the type has. */
const cap = (fields: ConfigFields, field: string, usual: number | undefined): number | undefined => {
  const value = fields.json[field]
  return value === null || (value === undefined && usual === undefined) ? undefined : fields.number(field, usual, 0)
}

/** The rotary embeddings of layers that see everything and of those with a window. */
const readRopes = (
  fields: ConfigFields,
  type: LlamaType,
  sizes: { readonly headSize: number; readonly maxPositions: number },
): { readonly full: Rope; readonly local: Rope } => {
  const { json, file } = fields
  const defaults = { ...sizes, originalMaxPositions: type.originalMaxPositions }
  const nested = json["rope_parameters"]
  const parts = isRecord(nested) && isRecord(nested["full_attention"]) ? nested : undefined
  if (type.localTheta === undefined || parts === undefined) {
    const full = readRope(fields, { ...defaults, theta: type.theta ?? 10000 })
    if (type.localTheta === undefined) return { full, local: full }
    const theta = fields.number("rope_local_base_freq", type.localTheta, 0)
    return { full, local: readRope(configFields({}, file), { ...defaults, theta }) }
  }
  const part = (name: string, theta: number): Rope =>
    readRope(configFields({ rope_parameters: parts[name] ?? {} }, file), { ...defaults, theta })
  return { full: part("full_attention", type.theta ?? 10000), local: part("sliding_attention", type.localTheta) }
}

const llamaLayers = (
  fields: ConfigFields,
  type: LlamaType,
  scale: number,
  ropes: { readonly full: Rope; readonly local: Rope },
): readonly DecoderLayer[] => {
  const count = fields.count("num_hidden_layers", undefined, 1)
  const { json } = fields
  const { window: kind, slidingWindow, unturnedInterval } = type
  const on = kind === "chosen" ? fields.boolean("use_sliding_window", false) : kind !== undefined
  const stated = json["sliding_window"] === null ? undefined : (json["sliding_window"] ?? slidingWindow)
  const window = on && stated !== undefined ? fields.count("sliding_window", slidingWindow, 1) : undefined
  const interval = fields.count("no_rope_layer_interval", unturnedInterval ?? 0, 0)
  const turned = listed(fields, "no_rope_layers", count)
  const kinds = kind === "all" ? undefined : listed(fields, "layer_types", count)
  const firstWindow = fields.count("max_window_layers", 28, 0)
  const pattern = typeof kind === "number" ? fields.count("sliding_window_pattern", kind, 1) : 0
  return Array.from({ length: count }, (_, index) => {
    const turns = turned === undefined ? interval === 0 || (index + 1) % interval !== 0 : turned[index] !== 0
    const rotary = unturnedInterval === undefined || turns
    const usual =
      pattern > 0 ? (index + 1) % pattern !== 0 : unturnedInterval === undefined ? index >= firstWindow : rotary
    const slides = kind === "all" || (kinds === undefined ? usual : kinds[index] === "sliding_attention")
    return {
      window: slides ? window : undefined,
      rope: rotary ? (slides ? ropes.local : ropes.full) : undefined,
      scale,
    }
  })
}

/** A list of the config with one entry for each layer, or undefined where there is none. */
const listed = (fields: ConfigFields, field: string, count: number): readonly unknown[] | undefined => {
  const value = fields.json[field]
  if (value === undefined || value === null) return undefined
  if (Array.isArray(value) && value.length === count) return value
  throw new InvalidLanguageModel({
    message: `${field} of the model's config does not say something of each layer`,
    file: fields.file,
    field,
    expected: `${count} entries`,
    found: Array.isArray(value) ? `${value.length}` : JSON.stringify(value),
  })
}

const divided = (fields: ConfigFields, hiddenSize: number, heads: number): number => {
  if (hiddenSize % heads === 0) return hiddenSize / heads
  throw new InvalidLanguageModel({
    message: "the hidden size is not a multiple of the number of heads",
    file: fields.file,
    expected: `a multiple of ${heads}`,
    found: `${hiddenSize}`,
  })
}
