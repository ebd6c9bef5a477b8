import { elementCount, type Tensor } from "@tandem/onnx"
import type { Parameter } from "./Bert.ts"
import type { Activation, DecoderConfig, DecoderLayer } from "./Decoder.ts"
import { InvalidLanguageModel, UnsupportedArchitecture } from "./Errors.ts"
import { toFloat32 } from "./Floats.ts"
import { type ConfigFields, configFields } from "./internal/ConfigFields.ts"
import { readRope } from "./Rope.ts"

/** What transformers takes where a config of that type leaves a field out, and what none of its fields says. */
interface LlamaType {
  readonly keyValueHeads?: number
  readonly headSize?: number
  readonly maxPositions: number
  readonly theta?: number
  readonly tied?: boolean
  /** Queries, keys and values always have biases and the attention's output has none. */
  readonly queryKeyValueBias?: boolean
  readonly queryKeyNorms?: boolean
  /** Which layers a `sliding_window` holds for: all, or those that `use_sliding_window` and the layer types say. */
  readonly window?: "all" | "chosen"
  readonly slidingWindow?: number
  /** Every so many layers one does not turn queries and keys. */
  readonly unturnedInterval?: number
}

/** The types of the Llama family; their blocks differ in nothing but what stands here and in their configs' fields. */
const llamaTypes: Readonly<Record<string, LlamaType>> = {
  llama: { maxPositions: 2048 },
  mistral: { maxPositions: 131072, keyValueHeads: 8, window: "all", slidingWindow: 4096 },
  qwen2: { maxPositions: 32768, keyValueHeads: 32, queryKeyValueBias: true, window: "chosen", slidingWindow: 4096 },
  qwen3: {
    maxPositions: 32768,
    keyValueHeads: 32,
    headSize: 128,
    queryKeyNorms: true,
    window: "chosen",
    slidingWindow: 4096,
  },
  smollm3: { maxPositions: 32768, keyValueHeads: 4, theta: 2e6, tied: true, window: "chosen", unturnedInterval: 4 },
}

/** The `model_type`s of decoder-only models that graphs are built for. */
export const decoderTypes: readonly string[] = ["gpt2", ...Object.keys(llamaTypes)]

const activations: Readonly<Record<string, Activation>> = {
  silu: "silu",
  swish: "silu",
  gelu: "gelu",
  gelu_new: "gelu_tanh",
  gelu_fast: "gelu_tanh",
  gelu_pytorch_tanh: "gelu_tanh",
  relu: "relu",
}

/**
 * Reads the `config.json` of a decoder-only language model: GPT-2, and the Llama family (Llama, SmolLM, Mistral, Qwen2,
 * Qwen3), as transformers 4 and 5 write it. Missing or impossible numbers end in `InvalidLanguageModel`, other
 * architectures and settings that change the mathematics in `UnsupportedArchitecture`.
 */
export const decoderConfig = (json: unknown, file = "config.json"): DecoderConfig => {
  const fields = configFields(json, file)
  const type = fields.json["model_type"]
  const llama = typeof type === "string" && Object.hasOwn(llamaTypes, type) ? llamaTypes[type] : undefined
  if (type !== "gpt2" && llama === undefined) {
    throw new UnsupportedArchitecture({
      message: `no graph is built for language models of type ${String(type)}`,
      file,
      field: "model_type",
      expected: decoderTypes.join(", "),
      found: String(type),
      hint: "use an ONNX export of the model: a directory with onnx/model.onnx",
    })
  }
  const config = llama === undefined ? gpt2Config(fields) : llamaConfig(fields, llama)
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
    rotary: false,
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
    rope: undefined,
    queryKeyNorms: false,
    biases: { queryKeyValue: true, attentionOutput: true, feedForward: true },
    dropout: { hidden: fields.number("resid_pdrop", 0.1, 0), attention: fields.number("attn_pdrop", 0.1, 0) },
  }
}

const llamaConfig = (fields: ConfigFields, type: LlamaType): DecoderConfig => {
  const hiddenSize = fields.count("hidden_size", undefined, 1)
  const heads = fields.count("num_attention_heads", undefined, 1)
  const given = fields.json["head_dim"] ?? type.headSize
  const headSize = given === undefined ? divided(fields, hiddenSize, heads) : fields.count("head_dim", type.headSize, 1)
  const maxPositions = fields.count("max_position_embeddings", type.maxPositions, 1)
  const attentionBias = fields.boolean("attention_bias", false)
  return {
    family: "llama",
    vocabularySize: fields.count("vocab_size", undefined, 1),
    hiddenSize,
    intermediateSize: fields.count("intermediate_size", undefined, 1),
    heads,
    keyValueHeads: fields.count("num_key_value_heads", type.keyValueHeads ?? heads, 1),
    headSize,
    maxPositions,
    layers: llamaLayers(fields, type, headSize ** -0.5),
    activation: fields.choice("hidden_act", "silu", activations),
    normEpsilon: fields.number("rms_norm_eps", 1e-6, 0),
    tiedEmbeddings: fields.boolean("tie_word_embeddings", type.tied ?? false),
    rope: readRope(fields, { headSize, maxPositions, theta: type.theta ?? 10000 }),
    queryKeyNorms: type.queryKeyNorms ?? false,
    biases: {
      queryKeyValue: type.queryKeyValueBias ?? attentionBias,
      attentionOutput: type.queryKeyValueBias === true ? false : attentionBias,
      feedForward: fields.boolean("mlp_bias", false),
    },
    dropout: { hidden: 0, attention: fields.number("attention_dropout", 0, 0) },
  }
}

const llamaLayers = (fields: ConfigFields, type: LlamaType, scale: number): readonly DecoderLayer[] => {
  const count = fields.count("num_hidden_layers", undefined, 1)
  const { json } = fields
  const on = type.window === "all" || (type.window === "chosen" && fields.boolean("use_sliding_window", false))
  const stated = json["sliding_window"] === null ? undefined : (json["sliding_window"] ?? type.slidingWindow)
  const window = on && stated !== undefined ? fields.count("sliding_window", type.slidingWindow, 1) : undefined
  const interval = fields.count("no_rope_layer_interval", type.unturnedInterval ?? 0, 0)
  const turned = listed(fields, "no_rope_layers", count)
  const kinds = listed(fields, "layer_types", count)
  const firstWindow = fields.count("max_window_layers", 28, 0)
  return Array.from({ length: count }, (_, index) => {
    const rotary = turned === undefined ? interval === 0 || (index + 1) % interval !== 0 : turned[index] !== 0
    const slides =
      type.window === "all" ||
      (kinds !== undefined
        ? kinds[index] === "sliding_attention"
        : type.unturnedInterval === undefined
          ? index >= firstWindow
          : rotary)
    return { window: slides ? window : undefined, rotary: type.unturnedInterval === undefined || rotary, scale }
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

/** The name that Hugging Face gives to the embeddings of tokens. */
export const embeddingsName = (config: DecoderConfig): string =>
  config.family === "gpt2" ? "transformer.wte.weight" : "model.embed_tokens.weight"

/** The name of the weights that make logits: the embeddings' where they are tied. */
export const outputName = (config: DecoderConfig): string =>
  config.tiedEmbeddings ? embeddingsName(config) : "lm_head.weight"

/** Every weight of a decoder by Hugging Face name, in the order in which the model uses them. */
export const decoderParameters = (config: DecoderConfig): readonly Parameter[] => {
  const { vocabularySize, hiddenSize, maxPositions, family } = config
  const gpt2 = family === "gpt2"
  return [
    { name: embeddingsName(config), dims: [vocabularySize, hiddenSize], role: "embedding" },
    ...(gpt2 ? [{ name: "transformer.wpe.weight", dims: [maxPositions, hiddenSize], role: "embedding" } as const] : []),
    ...config.layers.flatMap((_, layer) => (gpt2 ? gpt2Block(config, layer) : llamaBlock(config, layer))),
    { name: gpt2 ? "transformer.ln_f.weight" : "model.norm.weight", dims: [hiddenSize], role: "scale" },
    ...(gpt2 ? [{ name: "transformer.ln_f.bias", dims: [hiddenSize], role: "bias" } as const] : []),
    ...(config.tiedEmbeddings
      ? []
      : [{ name: "lm_head.weight", dims: [vocabularySize, hiddenSize], role: "weight" } as const]),
  ]
}

/** GPT-2 keeps the weights of products as `[in, out]`. */
const gpt2Block = ({ hiddenSize: hidden, intermediateSize: inner }: DecoderConfig, layer: number) => {
  const at = (name: string): string => `transformer.h.${layer}.${name}`
  const linear = (name: string, into: number, out: number): readonly Parameter[] => [
    { name: `${at(name)}.weight`, dims: [into, out], role: "weight" },
    { name: `${at(name)}.bias`, dims: [out], role: "bias" },
  ]
  const norm = (name: string): readonly Parameter[] => [
    { name: `${at(name)}.weight`, dims: [hidden], role: "scale" },
    { name: `${at(name)}.bias`, dims: [hidden], role: "bias" },
  ]
  return [
    ...norm("ln_1"),
    ...linear("attn.c_attn", hidden, 3 * hidden),
    ...linear("attn.c_proj", hidden, hidden),
    ...norm("ln_2"),
    ...linear("mlp.c_fc", hidden, inner),
    ...linear("mlp.c_proj", inner, hidden),
  ]
}

const llamaBlock = (config: DecoderConfig, layer: number): readonly Parameter[] => {
  const { hiddenSize: hidden, intermediateSize: inner, heads, keyValueHeads, headSize, biases } = config
  const at = (name: string): string => `model.layers.${layer}.${name}`
  const linear = (name: string, out: number, into: number, bias: boolean): readonly Parameter[] => [
    { name: `${at(name)}.weight`, dims: [out, into], role: "weight" },
    ...(bias ? [{ name: `${at(name)}.bias`, dims: [out], role: "bias" } as const] : []),
  ]
  const norm = (name: string, size: number): Parameter => ({ name: `${at(name)}.weight`, dims: [size], role: "scale" })
  return [
    norm("input_layernorm", hidden),
    ...linear("self_attn.q_proj", heads * headSize, hidden, biases.queryKeyValue),
    ...linear("self_attn.k_proj", keyValueHeads * headSize, hidden, biases.queryKeyValue),
    ...linear("self_attn.v_proj", keyValueHeads * headSize, hidden, biases.queryKeyValue),
    ...(config.queryKeyNorms ? [norm("self_attn.q_norm", headSize), norm("self_attn.k_norm", headSize)] : []),
    ...linear("self_attn.o_proj", hidden, heads * headSize, biases.attentionOutput),
    norm("post_attention_layernorm", hidden),
    ...linear("mlp.gate_proj", inner, hidden, biases.feedForward),
    ...linear("mlp.up_proj", inner, hidden, biases.feedForward),
    ...linear("mlp.down_proj", hidden, inner, biases.feedForward),
  ]
}

/** The weights of a language model among the tensors of a file. */
export interface LanguageModelWeights {
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly unused: ReadonlyMap<string, Tensor>
}

/**
 * Picks named weights out of a checkpoint, as `float32`. A name may lack its first part, as checkpoints of models
 * without a head have it. A missing weight or one of another shape ends in `InvalidLanguageModel`.
 */
export const pickWeights = (
  wanted: readonly Parameter[],
  tensors: ReadonlyMap<string, Tensor>,
  file = "model.safetensors",
): LanguageModelWeights => {
  const used = new Set<string>()
  const parameters = new Map<string, Tensor>()
  for (const { name, dims } of wanted) {
    const key = [name, name.replace(/^(transformer|model)\./, "")].find((candidate) => tensors.has(candidate))
    const value = key === undefined ? undefined : tensors.get(key)
    if (key === undefined || value === undefined) {
      throw new InvalidLanguageModel({
        message: `the weights lack ${name}`,
        file,
        tensor: name,
        hint: "the checkpoint belongs to another architecture than config.json says, or to a part of a model",
      })
    }
    if (value.dims.join() !== dims.join()) {
      throw new InvalidLanguageModel({
        message: `tensor ${key} has another shape than the model's config says`,
        file,
        tensor: key,
        expected: `[${dims}], ${elementCount(dims)} elements`,
        found: `[${value.dims}]`,
      })
    }
    used.add(key)
    parameters.set(name, toFloat32(value, key))
  }
  return { parameters, unused: new Map([...tensors].filter(([name]) => !used.has(name))) }
}
