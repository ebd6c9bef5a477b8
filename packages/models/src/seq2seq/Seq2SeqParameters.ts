import { type Tensor, tensor } from "@tandem/onnx"
import { InvalidLanguageModel } from "../Errors.ts"
import { toFloat32 } from "../Floats.ts"
import { type LanguageModelWeights, pickWeights } from "../internal/PickWeights.ts"
import type { Parameter } from "../Parameter.ts"
import type { Seq2SeqConfig, Seq2SeqFamily } from "./Seq2Seq.ts"

export type Side = "encoder" | "decoder"

/** Names of one attention's weights, each a module with `.weight`, and `.bias` where the model has biases. */
export interface AttentionNames {
  readonly query: string
  readonly key: string
  readonly value: string
  readonly output: string
  readonly norm: string
}

/** Names of one block's weights. */
export interface Seq2SeqBlockNames {
  readonly self: AttentionNames
  /** The attention to the encoder's states; the encoder's own blocks have none. */
  readonly cross: AttentionNames | undefined
  /** What is activated, and, in gated layers, what it is multiplied by. */
  readonly inner: readonly string[]
  readonly output: string
  readonly norm: string
}

/** The names that Hugging Face gives to the weights of a block. */
export const seq2seqBlockNames = (config: Seq2SeqConfig, side: Side, layer: number): Seq2SeqBlockNames =>
  layouts[config.family].block(config, side, layer)

const t5BlockNames = ({ gated }: Seq2SeqConfig, side: Side, layer: number): Seq2SeqBlockNames => {
  const at = (index: number, name: string): string => `${side}.block.${layer}.layer.${index}.${name}`
  const attention = (index: number, name: string): AttentionNames => ({
    query: at(index, `${name}.q`),
    key: at(index, `${name}.k`),
    value: at(index, `${name}.v`),
    output: at(index, `${name}.o`),
    norm: at(index, "layer_norm"),
  })
  const last = side === "decoder" ? 2 : 1
  return {
    self: attention(0, "SelfAttention"),
    cross: side === "decoder" ? attention(1, "EncDecAttention") : undefined,
    inner: (gated ? ["wi_0", "wi_1"] : ["wi"]).map((name) => at(last, `DenseReluDense.${name}`)),
    output: at(last, "DenseReluDense.wo"),
    norm: at(last, "layer_norm"),
  }
}

const bartBlockNames = (_config: Seq2SeqConfig, side: Side, layer: number): Seq2SeqBlockNames => {
  const at = (name: string): string => `model.${side}.layers.${layer}.${name}`
  const attention = (name: string): AttentionNames => ({
    query: at(`${name}.q_proj`),
    key: at(`${name}.k_proj`),
    value: at(`${name}.v_proj`),
    output: at(`${name}.out_proj`),
    norm: at(`${name}_layer_norm`),
  })
  return {
    self: attention("self_attn"),
    cross: side === "decoder" ? attention("encoder_attn") : undefined,
    inner: [at("fc1")],
    output: at("fc2"),
    norm: at("final_layer_norm"),
  }
}

/** What the weights of a family are called. */
interface Seq2SeqLayout {
  /** The embeddings that both sides share. */
  readonly tokens: string
  readonly positions: (side: Side) => string
  readonly finalNorm: (side: Side) => string
  readonly block: (config: Seq2SeqConfig, side: Side, layer: number) => Seq2SeqBlockNames
  /** Whether official configs say that embeddings are not tied where nothing but the scale of the logits is meant. */
  readonly mayTieUnsaid: boolean
}

const layouts: Readonly<Record<Seq2SeqFamily, Seq2SeqLayout>> = {
  t5: {
    tokens: "shared.weight",
    positions: (side) => `${side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight`,
    finalNorm: (side) => `${side}.final_layer_norm`,
    block: t5BlockNames,
    mayTieUnsaid: true,
  },
  bart: {
    tokens: "model.shared.weight",
    positions: (side) => `model.${side}.embed_positions.weight`,
    finalNorm: (side) => `model.${side}.layer_norm`,
    block: bartBlockNames,
    mayTieUnsaid: false,
  },
}

/** Names of the weights outside of the blocks. */
export const seq2seqNames = (config: Seq2SeqConfig) => {
  const { tokens, positions, finalNorm } = layouts[config.family]
  return {
    tokens,
    vocabulary: config.tiedEmbeddings ? tokens : "lm_head.weight",
    logitBias: "final_logits_bias",
    positions,
    embeddingNorm: (side: Side): string => `model.${side}.layernorm_embedding`,
    finalNorm,
  }
}

/** Every weight that is trained, by Hugging Face name, in the order in which the model uses them. */
export const seq2seqParameters = (config: Seq2SeqConfig): readonly Parameter[] => {
  const { vocabularySize, hiddenSize: hidden, headSize, positions, biases } = config
  const names = seq2seqNames(config)
  const linear = (name: string, out: number, into: number): readonly Parameter[] => [
    { name: `${name}.weight`, dims: [out, into], role: "weight" },
    ...(biases ? [{ name: `${name}.bias`, dims: [out], role: "bias" } as const] : []),
  ]
  const norm = (name: string): readonly Parameter[] => [
    { name: `${name}.weight`, dims: [hidden], role: "scale" },
    ...(config.norm === "layer" ? [{ name: `${name}.bias`, dims: [hidden], role: "bias" } as const] : []),
  ]
  const side = (which: Side): readonly Parameter[] => {
    const { layers, heads, intermediateSize } = config[which]
    const attention = (block: AttentionNames): readonly Parameter[] => [
      ...linear(block.query, heads * headSize, hidden),
      ...linear(block.key, heads * headSize, hidden),
      ...linear(block.value, heads * headSize, hidden),
      ...linear(block.output, hidden, heads * headSize),
      ...norm(block.norm),
    ]
    const dims =
      positions.kind === "relative"
        ? [positions.buckets, heads]
        : positions.learned
          ? [positions.count + positions.offset, hidden]
          : undefined
    return [
      ...(dims === undefined ? [] : [{ name: names.positions(which), dims, role: "embedding" } as const]),
      ...(config.embeddingNorm ? norm(names.embeddingNorm(which)) : []),
      ...Array.from({ length: layers }, (_, layer) => {
        const block = seq2seqBlockNames(config, which, layer)
        return [
          ...attention(block.self),
          ...(block.cross === undefined ? [] : attention(block.cross)),
          ...block.inner.flatMap((name) => linear(name, intermediateSize, hidden)),
          ...linear(block.output, hidden, intermediateSize),
          ...norm(block.norm),
        ]
      }).flat(),
      ...(config.finalNorm ? norm(names.finalNorm(which)) : []),
    ]
  }
  return [
    { name: names.tokens, dims: [vocabularySize, hidden], role: "embedding" },
    ...side("encoder"),
    ...side("decoder"),
    ...(config.tiedEmbeddings
      ? []
      : [{ name: names.vocabulary, dims: [vocabularySize, hidden], role: "weight" } as const]),
  ]
}

/** The weights of an encoder-decoder among the tensors of a file. */
export interface Seq2SeqWeights extends LanguageModelWeights {
  /** The config, with the embeddings tied or not as the checkpoint has them. */
  readonly config: Seq2SeqConfig
  readonly buffers: ReadonlyMap<string, Tensor>
}

/**
 * Picks the weights that a config needs out of a checkpoint, as `float32`. Shared embeddings may stand under any of the
 * names that share them; a vocabulary's matrix of its own counts only where it differs from the embeddings, as in
 * transformers. A missing weight or one of another shape ends in `InvalidLanguageModel`.
 */
export const pickSeq2SeqWeights = (
  config: Seq2SeqConfig,
  tensors: ReadonlyMap<string, Tensor>,
  file = "model.safetensors",
): Seq2SeqWeights => {
  const { tokens, logitBias, positions } = seq2seqNames(config)
  const prefix = tokens.slice(0, -"shared.weight".length)
  const head = tensors.get("lm_head.weight")
  const sharers = ["shared", "encoder.embed_tokens", "decoder.embed_tokens"].flatMap((name) =>
    [prefix, ""].map((start) => `${start}${name}.weight`),
  )
  const source = [...new Set(sharers)].find((name) => tensors.has(name))
  const shared = source === undefined ? head : tensors.get(source)
  const mayTie = config.tiedEmbeddings || layouts[config.family].mayTieUnsaid || head !== undefined
  const tiedEmbeddings = mayTie && (head === undefined || shared === undefined || isSame(head, shared))
  const actual = { ...config, tiedEmbeddings }
  const repeated = new Set([...sharers, ...(tiedEmbeddings ? ["lm_head.weight"] : [])])
  const rest = new Map([...tensors].filter(([name]) => !repeated.has(name)))
  if (shared !== undefined) rest.set(tokens, shared)
  const { parameters, unused } = pickWeights(seq2seqParameters(actual), rest, file)
  const buffers = new Map<string, Tensor>()
  const kept = new Map(unused)
  const buffer = (name: string, dims: readonly number[]): Tensor | undefined => {
    const key = [name, name.slice(name.indexOf(".") + 1)].find((candidate) => kept.has(candidate))
    const value = key === undefined ? undefined : kept.get(key)
    if (key === undefined || value === undefined) return undefined
    kept.delete(key)
    if (value.dims.join() !== dims.join()) {
      throw new InvalidLanguageModel({
        message: `tensor ${key} has another shape than the model's config says`,
        file,
        tensor: key,
        expected: `[${dims}]`,
        found: `[${value.dims}]`,
      })
    }
    return toFloat32(value, key)
  }
  const bias = buffer(logitBias, [1, config.vocabularySize])
  if (bias !== undefined) buffers.set(logitBias, bias)
  if (config.positions.kind === "absolute" && !config.positions.learned) {
    for (const side of ["encoder", "decoder"] as const) {
      const dims = [config.positions.count, config.hiddenSize]
      buffers.set(
        positions(side),
        buffer(positions(side), dims) ?? sinusoids(config.positions.count, config.hiddenSize),
      )
    }
  }
  return { config: actual, parameters, buffers, unused: kept }
}

const isSame = (a: Tensor, b: Tensor): boolean => {
  if (a === b) return true
  if (a.type !== b.type || a.data.length !== b.data.length) return false
  for (let index = 0; index < a.data.length; index++) if (a.data[index] !== b.data[index]) return false
  return true
}

/** `[positions, width]`: sines of falling frequencies in the first half of a row, their cosines in the second. */
export const sinusoids = (positions: number, width: number): Tensor => {
  const data = new Float32Array(positions * width)
  const half = Math.ceil(width / 2)
  for (let position = 0; position < positions; position++) {
    for (let column = 0; column < width; column++) {
      const pair = column < half ? column : column - half
      const angle = position / 10000 ** ((2 * pair) / width)
      data[position * width + column] = column < half ? Math.sin(angle) : Math.cos(angle)
    }
  }
  return tensor("float32", [positions, width], data)
}
