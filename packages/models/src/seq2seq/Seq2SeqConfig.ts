import { InvalidLanguageModel } from "../Errors.ts"
import { activations } from "../internal/Blocks.ts"
import { type ConfigFields, configFields } from "../internal/ConfigFields.ts"
import type { Positions, Seq2SeqConfig } from "./Seq2Seq.ts"

/** What none of a config's fields says of BART and its kin. */
interface BartType {
  readonly normFirst: boolean
  readonly finalNorm: boolean
  readonly embeddingNorm: boolean
  /** Rows of the table of positions before the first one's. */
  readonly positionOffset: number
  /** Whether positions are trained, or sines and cosines. */
  readonly learnedPositions: boolean
}

/** The types of BART's family; their blocks differ in nothing but what stands here and in their configs' fields. */
const bartTypes: Readonly<Record<string, BartType>> = {
  bart: { normFirst: false, finalNorm: false, embeddingNorm: true, positionOffset: 2, learnedPositions: true },
  mbart: { normFirst: true, finalNorm: true, embeddingNorm: true, positionOffset: 2, learnedPositions: true },
  marian: { normFirst: false, finalNorm: false, embeddingNorm: false, positionOffset: 0, learnedPositions: false },
  pegasus: { normFirst: true, finalNorm: true, embeddingNorm: false, positionOffset: 0, learnedPositions: false },
}

/** What transformers takes where a config of T5 or its kin leaves a field out. */
interface T5Type {
  readonly heads: number
  readonly intermediateSize: number
  readonly layers: number
  readonly feedForward: string
  readonly vocabularySize: number
}

const t5Types: Readonly<Record<string, T5Type>> = {
  t5: { heads: 8, intermediateSize: 2048, layers: 6, feedForward: "relu", vocabularySize: 32128 },
  mt5: { heads: 6, intermediateSize: 1024, layers: 8, feedForward: "gated-gelu", vocabularySize: 250112 },
}

/**
 * Reads the `config.json` of an encoder-decoder language model: T5 (v1.0 and v1.1, Flan), mT5, BART, mBART, Marian and
 * Pegasus, as transformers 4 and 5 write it. Missing or impossible numbers end in `InvalidLanguageModel`, other
 * architectures and settings that change the mathematics in `UnsupportedArchitecture`.
 */
export const seq2seqConfig = (json: unknown, file = "config.json"): Seq2SeqConfig => {
  const fields = configFields(json, file)
  const read = fields.modelType(
    "encoder-decoder models",
    readers,
    "other types train from ONNX exports where they are an encoder or a decoder alone",
  )
  return read(fields)
}

const t5Config = (fields: ConfigFields, type: T5Type): Seq2SeqConfig => {
  const hiddenSize = fields.count("d_model", 512, 1)
  const heads = fields.count("num_heads", type.heads, 1)
  const intermediateSize = fields.count("d_ff", type.intermediateSize, 1)
  const layers = fields.count("num_layers", type.layers, 1)
  const decoderLayers = fields.count("num_decoder_layers", layers, 1)
  const projection = fields.text("feed_forward_proj", type.feedForward)
  const [first = "", second] = projection.split("-")
  fields.refuse("feed_forward_proj", second !== undefined && first !== "gated")
  const named = projection === "gated-gelu" ? "gelu_new" : (second ?? first)
  const activation = Object.hasOwn(activations, named) ? activations[named] : undefined
  fields.refuse("feed_forward_proj", activation === undefined)
  const tied = fields.boolean("tie_word_embeddings", true)
  const rate = fields.number("dropout_rate", 0.1, 0)
  return {
    family: "t5",
    vocabularySize: fields.count("vocab_size", type.vocabularySize, 1),
    hiddenSize,
    headSize: fields.count("d_kv", 64, 1),
    encoder: { layers, heads, intermediateSize },
    decoder: { layers: decoderLayers, heads, intermediateSize },
    activation: activation!,
    gated: second !== undefined,
    norm: "rms",
    normEpsilon: fields.number("layer_norm_epsilon", 1e-6, 0),
    normFirst: true,
    finalNorm: true,
    embeddingNorm: false,
    positions: relativePositions(fields),
    embeddingScale: 1,
    attentionScale: 1,
    biases: false,
    tiedEmbeddings: tied,
    // Hidden states are scaled where the config ties, whatever the checkpoint holds; transformers 5 says it by name
    logitScale: fields.boolean("scale_decoder_outputs", tied) ? hiddenSize ** -0.5 : 1,
    dropout: { hidden: rate, attention: rate, activation: rate },
  }
}

const relativePositions = (fields: ConfigFields): Positions => {
  const buckets = fields.count("relative_attention_num_buckets", 32, 4)
  const maxDistance = fields.count("relative_attention_max_distance", 128, 1)
  fields.refuse("relative_attention_num_buckets", buckets % 2 !== 0)
  // The logarithm of the share of distances that have no bucket of their own must be positive in both directions
  fields.refuse("relative_attention_max_distance", maxDistance <= buckets / 2)
  return { kind: "relative", buckets, maxDistance }
}

const bartConfig = (fields: ConfigFields, type: BartType): Seq2SeqConfig => {
  const hiddenSize = fields.count("d_model", 1024, 1)
  const stack = (side: "encoder" | "decoder") => ({
    layers: fields.count(`${side}_layers`, 12, 1),
    heads: fields.count(`${side}_attention_heads`, 16, 1),
    intermediateSize: fields.count(`${side}_ffn_dim`, 4096, 1),
  })
  const [encoder, decoder] = [stack("encoder"), stack("decoder")]
  for (const [field, { heads }] of [
    ["encoder_attention_heads", encoder] as const,
    ["decoder_attention_heads", decoder] as const,
  ]) {
    if (hiddenSize % heads === 0) continue
    throw new InvalidLanguageModel({
      message: "the hidden size is not a multiple of the number of heads",
      file: fields.file,
      field,
      expected: `a divisor of ${hiddenSize}`,
      found: `${heads}`,
    })
  }
  const vocabularySize = fields.count("vocab_size", 50265, 1)
  fields.refuse(
    "encoder_attention_heads",
    encoder.heads !== decoder.heads,
    "heads of one size are needed on both sides",
  )
  fields.refuse("decoder_vocab_size", fields.count("decoder_vocab_size", vocabularySize, 1) !== vocabularySize)
  fields.refuse("share_encoder_decoder_embeddings", !fields.boolean("share_encoder_decoder_embeddings", true))
  fields.refuse(
    "static_position_embeddings",
    type.learnedPositions && fields.boolean("static_position_embeddings", false),
  )
  const headSize = hiddenSize / encoder.heads
  return {
    family: "bart",
    vocabularySize,
    hiddenSize,
    headSize,
    encoder,
    decoder,
    activation: fields.choice("activation_function", "gelu", activations),
    gated: false,
    norm: "layer",
    normEpsilon: 1e-5,
    normFirst: fields.boolean("normalize_before", type.normFirst),
    finalNorm: fields.boolean("add_final_layer_norm", type.finalNorm),
    embeddingNorm: fields.boolean("normalize_embedding", type.embeddingNorm),
    positions: {
      kind: "absolute",
      count: fields.count("max_position_embeddings", 1024, 1),
      offset: type.learnedPositions ? fields.count("extra_pos_embeddings", type.positionOffset, 0) : 0,
      learned: type.learnedPositions,
    },
    embeddingScale: fields.boolean("scale_embedding", false) ? Math.sqrt(hiddenSize) : 1,
    attentionScale: headSize ** -0.5,
    biases: true,
    tiedEmbeddings: fields.boolean("tie_word_embeddings", true),
    logitScale: 1,
    dropout: {
      hidden: fields.number("dropout", 0.1, 0),
      attention: fields.number("attention_dropout", 0, 0),
      activation: fields.number("activation_dropout", 0, 0),
    },
  }
}

/** How the config of each `model_type` is read. */
const readers: Readonly<Record<string, (fields: ConfigFields) => Seq2SeqConfig>> = Object.fromEntries([
  ...Object.entries(t5Types).map(([name, type]) => [name, (fields: ConfigFields) => t5Config(fields, type)] as const),
  ...Object.entries(bartTypes).map(
    ([name, type]) => [name, (fields: ConfigFields) => bartConfig(fields, type)] as const,
  ),
])

/** The `model_type`s of encoder-decoder models that graphs are built for. */
export const seq2seqTypes: readonly string[] = Object.keys(readers)
