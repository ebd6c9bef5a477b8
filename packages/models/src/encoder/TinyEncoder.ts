import { truncatedNormals, xorshift128 } from "@tandem/random"
import { deviation, initial } from "../internal/InitialWeights.ts"
import { makeTokenizer, type TokenizerFiles } from "../tokenizer/Tokenizer.ts"
import { bertConfig, bertParameters } from "./Bert.ts"
import type { Encoder, Pooling } from "./Encoder.ts"
import { weightsEncoder } from "./WeightsEncoder.ts"

/** What `tinyEncoder` takes. */
export interface TinyEncoderOptions {
  readonly seed: number
  /** The tokenizer, such as `trainWordPiece` gives it. */
  readonly vocabulary: TokenizerFiles
  readonly hidden?: number
  readonly layers?: number
  readonly heads?: number
  readonly intermediate?: number
  /** Longest sequence in tokens; also the number of positions. */
  readonly maxLength?: number
  /** The dropout rate that the model's config names. */
  readonly dropout?: number
  readonly pooling?: Pooling
}

/**
 * A randomly initialised BERT encoder: weights normal with deviation 0.02, cut off at two deviations; biases 0, norms
 * 1. The same seed and sizes give the same weights on every machine.
 *
 * @example
 * ```ts
 * import { tinyEncoder, trainWordPiece } from "@tandem/models"
 *
 * const vocabulary = trainWordPiece(["the river was long", "the long river"], { vocabularySize: 60 })
 * const encoder = tinyEncoder({ seed: 0, vocabulary })
 * console.log(encoder.config.hiddenSize, encoder.parameters.size) // 128 37
 * ```
 */
export const tinyEncoder = (options: TinyEncoderOptions): Encoder => {
  const { seed, vocabulary, hidden = 128, layers = 2, heads = 4, intermediate = 512, maxLength = 64 } = options
  const { dropout = 0, pooling = { mode: "mean", normalize: true } } = options
  const tokenizer = makeTokenizer(vocabulary)
  const huggingFace = {
    architectures: ["BertModel"],
    model_type: "bert",
    vocab_size: tokenizer.vocabularySize,
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: intermediate,
    max_position_embeddings: maxLength,
    type_vocab_size: 2,
    hidden_act: "gelu",
    layer_norm_eps: 1e-12,
    pad_token_id: tokenizer.padTokenId,
    position_embedding_type: "absolute",
    hidden_dropout_prob: dropout,
    attention_probs_dropout_prob: dropout,
    initializer_range: deviation,
  }
  const config = bertConfig(huggingFace)
  const normal = truncatedNormals(xorshift128(seed))
  const parameters = new Map(bertParameters(config).map((parameter) => [parameter.name, initial(parameter, normal)]))
  return weightsEncoder({ config, parameters, tokenizer, pooling, maxLength, huggingFace })
}
