import { truncatedNormals, xorshift128 } from "@tandem/random"
import { deviation, initial } from "../internal/InitialWeights.ts"
import { makeTokenizer, type TokenizerFiles } from "../tokenizer/Tokenizer.ts"
import type { Decoder } from "./Decoder.ts"
import { decoderConfig } from "./DecoderConfig.ts"
import { decoderParameters } from "./DecoderParameters.ts"
import { weightsDecoder } from "./WeightsDecoder.ts"

/** What `tinyDecoder` takes. */
export interface TinyDecoderOptions {
  readonly seed: number
  /** The tokenizer; texts end with its `[SEP]` or `eos_token`. */
  readonly vocabulary: TokenizerFiles
  readonly hidden?: number
  readonly layers?: number
  readonly heads?: number
  /** Heads of keys and values; as many as `heads` where absent. */
  readonly keyValueHeads?: number
  readonly intermediate?: number
  /** Longest sequence in tokens. */
  readonly maxLength?: number
}

/**
 * A randomly initialised decoder-only language model of the Llama family with tied embeddings: weights normal with
 * deviation 0.02, cut off at two deviations; norms 1. The same seed and sizes give the same weights on every machine.
 *
 * @example
 * ```ts
 * import { tinyDecoder, trainWordPiece } from "@tandem/models"
 *
 * const vocabulary = trainWordPiece(["the river was long", "the long river"], { vocabularySize: 60 })
 * const decoder = tinyDecoder({ seed: 0, vocabulary })
 * console.log(decoder.config?.hiddenSize, decoder.parameters.size) // 128 20
 * ```
 */
export const tinyDecoder = (options: TinyDecoderOptions): Decoder => {
  const { seed, vocabulary, hidden = 128, layers = 2, heads = 4, intermediate = 384, maxLength = 128 } = options
  const tokenizer = makeTokenizer(vocabulary)
  const end = vocabulary.config["eos_token"] ?? vocabulary.config["sep_token"]
  const endId = typeof end === "string" ? tokenizer.tokenId(end) : undefined
  const huggingFace = {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    vocab_size: tokenizer.vocabularySize,
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    num_key_value_heads: options.keyValueHeads ?? heads,
    head_dim: Math.floor(hidden / heads),
    intermediate_size: intermediate,
    max_position_embeddings: maxLength,
    hidden_act: "silu",
    rms_norm_eps: 1e-6,
    rope_theta: 10000,
    rope_parameters: { rope_type: "default", rope_theta: 10000 },
    tie_word_embeddings: true,
    attention_bias: false,
    mlp_bias: false,
    bos_token_id: null,
    eos_token_id: endId ?? null,
    pad_token_id: tokenizer.padTokenId,
    initializer_range: deviation,
  }
  const config = decoderConfig(huggingFace)
  const normal = truncatedNormals(xorshift128(seed))
  const parameters = new Map(decoderParameters(config).map((parameter) => [parameter.name, initial(parameter, normal)]))
  return weightsDecoder({ config, parameters, tokenizer, maxLength, huggingFace })
}
