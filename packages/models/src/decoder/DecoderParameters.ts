import type { Tensor } from "@tandem/onnx"
import { type LanguageModelWeights, pickWeights } from "../internal/PickWeights.ts"
import type { Parameter } from "../Parameter.ts"
import type { DecoderConfig, DecoderFamily } from "./Decoder.ts"

/** What the weights of a decoder are called, and which there are. */
interface DecoderLayout {
  /** The embeddings of tokens. */
  readonly embeddings: string
  /** The embeddings of positions, which models that turn queries and keys do not have. */
  readonly positions: string | undefined
  /** The last norm, a module with `.weight`, and `.bias` where norms have means. */
  readonly finalNorm: string
  readonly normsHaveBias: boolean
  readonly block: (config: DecoderConfig, layer: number) => readonly Parameter[]
}

/** The name that Hugging Face gives to the embeddings of tokens. */
export const embeddingsName = ({ family }: DecoderConfig): string => layouts[family].embeddings

/** The name of the last norm, a module. */
export const finalNormName = ({ family }: DecoderConfig): string => layouts[family].finalNorm

/** The name of the weights that make logits: the embeddings' where they are tied. */
export const outputName = (config: DecoderConfig): string =>
  config.tiedEmbeddings ? embeddingsName(config) : "lm_head.weight"

/** Every weight of a decoder by Hugging Face name, in the order in which the model uses them. */
export const decoderParameters = (config: DecoderConfig): readonly Parameter[] => {
  const { vocabularySize, hiddenSize, maxPositions } = config
  const { embeddings, positions, finalNorm, normsHaveBias, block } = layouts[config.family]
  return [
    { name: embeddings, dims: [vocabularySize, hiddenSize], role: "embedding" },
    ...(positions === undefined
      ? []
      : [{ name: positions, dims: [maxPositions, hiddenSize], role: "embedding" } as const]),
    ...config.layers.flatMap((_, layer) => block(config, layer)),
    { name: `${finalNorm}.weight`, dims: [hiddenSize], role: "scale" },
    ...(normsHaveBias ? [{ name: `${finalNorm}.bias`, dims: [hiddenSize], role: "bias" } as const] : []),
    ...(config.tiedEmbeddings
      ? []
      : [{ name: outputName(config), dims: [vocabularySize, hiddenSize], role: "weight" } as const]),
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

/** The names of the Llama family's norms in a block, by where they stand. */
export const normNames = {
  before: { attentionInput: "input_layernorm", feedForwardInput: "post_attention_layernorm" },
  after: { attentionOutput: "post_attention_layernorm", feedForwardOutput: "post_feedforward_layernorm" },
  around: {
    attentionInput: "input_layernorm",
    attentionOutput: "post_attention_layernorm",
    feedForwardInput: "pre_feedforward_layernorm",
    feedForwardOutput: "post_feedforward_layernorm",
  },
} as const

const llamaBlock = (config: DecoderConfig, layer: number): readonly Parameter[] => {
  const { hiddenSize: hidden, intermediateSize: inner, heads, keyValueHeads, headSize, biases, packed } = config
  const [queries, keys] = [heads * headSize, keyValueHeads * headSize]
  const at = (name: string): string => `model.layers.${layer}.${name}`
  const linear = (name: string, out: number, into: number, bias: boolean): readonly Parameter[] => [
    { name: `${at(name)}.weight`, dims: [out, into], role: "weight" },
    ...(bias ? [{ name: `${at(name)}.bias`, dims: [out], role: "bias" } as const] : []),
  ]
  const norm = (name: string, size: number): Parameter => ({ name: `${at(name)}.weight`, dims: [size], role: "scale" })
  const [queryNorm, keyNorm] = config.queryKeyNorms === "whole" ? [queries, keys] : [headSize, headSize]
  return [
    ...(packed
      ? linear("self_attn.qkv_proj", queries + 2 * keys, hidden, biases.queryKeyValue)
      : [
          ...linear("self_attn.q_proj", queries, hidden, biases.queryKeyValue),
          ...linear("self_attn.k_proj", keys, hidden, biases.queryKeyValue),
          ...linear("self_attn.v_proj", keys, hidden, biases.queryKeyValue),
        ]),
    ...(config.queryKeyNorms === "none"
      ? []
      : [norm("self_attn.q_norm", queryNorm), norm("self_attn.k_norm", keyNorm)]),
    ...linear("self_attn.o_proj", hidden, queries, biases.attentionOutput),
    ...Object.values(normNames[config.norms]).map((name) => norm(name, hidden)),
    ...(packed
      ? linear("mlp.gate_up_proj", 2 * inner, hidden, biases.feedForward)
      : [
          ...linear("mlp.gate_proj", inner, hidden, biases.feedForward),
          ...linear("mlp.up_proj", inner, hidden, biases.feedForward),
        ]),
    ...linear("mlp.down_proj", hidden, inner, biases.feedForward),
  ]
}

const layouts: Readonly<Record<DecoderFamily, DecoderLayout>> = {
  gpt2: {
    embeddings: "transformer.wte.weight",
    positions: "transformer.wpe.weight",
    finalNorm: "transformer.ln_f",
    normsHaveBias: true,
    block: gpt2Block,
  },
  llama: {
    embeddings: "model.embed_tokens.weight",
    positions: undefined,
    finalNorm: "model.norm",
    normsHaveBias: false,
    block: llamaBlock,
  },
}

/**
 * Picks the weights that `config` needs out of a checkpoint, as `float32`. A name may lack its first part, as checkpoints
 * of models without a head have it. A missing weight or one of another shape ends in `InvalidLanguageModel`.
 */
export const pickDecoderWeights = (
  config: DecoderConfig,
  tensors: ReadonlyMap<string, Tensor>,
  file = "model.safetensors",
): LanguageModelWeights => pickWeights(decoderParameters(config), tensors, file)
