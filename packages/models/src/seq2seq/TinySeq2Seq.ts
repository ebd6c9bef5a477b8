import { truncatedNormals, xorshift128 } from "@tandem/random"
import { deviation, initial } from "../internal/InitialWeights.ts"
import { makeTokenizer, type TokenizerFiles } from "../tokenizer/Tokenizer.ts"
import type { Seq2Seq } from "./Seq2Seq.ts"
import { seq2seqConfig } from "./Seq2SeqConfig.ts"
import { seq2seqParameters } from "./Seq2SeqParameters.ts"
import { weightsSeq2Seq } from "./WeightsSeq2Seq.ts"

export interface TinySeq2SeqOptions {
  readonly seed: number
  /** The tokenizer; texts end with its `eos_token` or `[SEP]`, which targets begin with as well. */
  readonly vocabulary: TokenizerFiles
  readonly hidden?: number
  /** Blocks on either side. */
  readonly layers?: number
  readonly heads?: number
  readonly intermediate?: number
  /** Longest sequence in tokens on either side; also the number of positions. */
  readonly maxLength?: number
}

/**
 * A randomly initialised encoder-decoder as BART is built: weights normal with deviation 0.02, cut off at two
 * deviations; biases 0, norms 1. The same seed and sizes give the same weights on every machine.
 *
 * @example
 * ```ts
 * import { tinySeq2Seq, trainWordPiece } from "@tandem/models"
 *
 * const vocabulary = trainWordPiece(["the river was long", "the long river"], { vocabularySize: 60 })
 * const model = tinySeq2Seq({ seed: 0, vocabulary })
 * console.log(model.config.hiddenSize, model.parameters.size) // 128 91
 * ```
 */
export const tinySeq2Seq = (options: TinySeq2SeqOptions): Seq2Seq => {
  const { seed, vocabulary, hidden = 128, layers = 2, heads = 4, intermediate = 512, maxLength = 128 } = options
  const tokenizer = makeTokenizer(vocabulary)
  const end = vocabulary.config["eos_token"] ?? vocabulary.config["sep_token"]
  const endId = (typeof end === "string" ? tokenizer.tokenId(end) : undefined) ?? tokenizer.padTokenId
  const huggingFace = {
    architectures: ["BartForConditionalGeneration"],
    model_type: "bart",
    is_encoder_decoder: true,
    vocab_size: tokenizer.vocabularySize,
    d_model: hidden,
    encoder_layers: layers,
    decoder_layers: layers,
    encoder_attention_heads: heads,
    decoder_attention_heads: heads,
    encoder_ffn_dim: intermediate,
    decoder_ffn_dim: intermediate,
    max_position_embeddings: maxLength,
    activation_function: "gelu",
    dropout: 0,
    attention_dropout: 0,
    activation_dropout: 0,
    scale_embedding: false,
    tie_word_embeddings: true,
    init_std: deviation,
    pad_token_id: tokenizer.padTokenId,
    bos_token_id: null,
    eos_token_id: endId,
    decoder_start_token_id: endId,
    forced_eos_token_id: null,
  }
  const config = seq2seqConfig(huggingFace)
  const normal = truncatedNormals(xorshift128(seed))
  const parameters = new Map(seq2seqParameters(config).map((parameter) => [parameter.name, initial(parameter, normal)]))
  return weightsSeq2Seq({ config, parameters, tokenizer, maxLength, huggingFace })
}
