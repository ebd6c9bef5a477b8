import type { Graph, Tensor } from "@tandem/onnx"
import type { Effect } from "effect"
import type { Activation, LanguageModelSource } from "../decoder/Decoder.ts"
import type { Decoding } from "../decoder/Decoding.ts"
import type { ModelError } from "../Errors.ts"
import type { DropoutMask, DropoutRates } from "../encoder/Encoder.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"

/** The dimensions of an encoder's or a decoder's blocks. */
export interface Stack {
  readonly layers: number
  readonly heads: number
  readonly intermediateSize: number
}

/** How a model tells positions apart. */
export type Positions =
  /** A learned number for each head and bucket of distances, added to the scores of self-attention (T5). */
  | { readonly kind: "relative"; readonly buckets: number; readonly maxDistance: number }
  /** A vector for each position, added to the embeddings; the table's first `offset` rows are not used (BART: 2). */
  | { readonly kind: "absolute"; readonly count: number; readonly offset: number; readonly learned: boolean }

/** Which naming the weights of an encoder-decoder have. */
export type Seq2SeqFamily = "t5" | "bart"

/** The dimensions and settings of an encoder-decoder language model. */
export interface Seq2SeqConfig {
  readonly family: Seq2SeqFamily
  readonly vocabularySize: number
  readonly hiddenSize: number
  readonly headSize: number
  readonly encoder: Stack
  readonly decoder: Stack
  readonly activation: Activation
  /** Whether the feed-forward layer multiplies an activated product by another one (T5 v1.1). */
  readonly gated: boolean
  readonly norm: "rms" | "layer"
  readonly normEpsilon: number
  /** Whether norms stand before attention and feed-forward layers, or behind the sum with what went in. */
  readonly normFirst: boolean
  /** Whether a norm stands behind the last block. */
  readonly finalNorm: boolean
  /** Whether embeddings are normalized. */
  readonly embeddingNorm: boolean
  readonly positions: Positions
  /** Multiplies the embeddings of tokens. */
  readonly embeddingScale: number
  /** Multiplies the products of queries and keys. */
  readonly attentionScale: number
  /** Whether products have biases. */
  readonly biases: boolean
  /** Whether the vocabulary's output weights are its embeddings. */
  readonly tiedEmbeddings: boolean
  /** Multiplies the hidden states that logits are made of. */
  readonly logitScale: number
  /** The rates that the model's config asks for in training. */
  readonly dropout: Seq2SeqDropout
}

/** Shares of elements that dropout sets to zero; `activation` inside feed-forward layers, `hidden` where absent. */
export interface Seq2SeqDropout extends DropoutRates {
  readonly activation?: number
}

/** What an encoder-decoder's graph is built for. Without `dropout` the graph has none. */
export interface Seq2SeqShape {
  readonly batch: number
  /** Length of the rows that the encoder reads. */
  readonly tokens: number
  /** Length of the rows that the decoder reads. */
  readonly targetTokens: number
  /**
   * Number of places that the encoder's token-wise work is done on, at least its real tokens; all where absent. The
   * graph then has the input `packed_rows` (see `seq2seqGraph`).
   */
  readonly packedRows?: number
  /** The same for the decoder, with the input `packed_target_rows`. */
  readonly packedTargetRows?: number
  /**
   * Number of places that logits are computed at; all where absent. The graph then has the input `logit_rows`
   * `[logitRows] int64`: distinct places `row · targetTokens + column`. The logit at a place predicts the token after it.
   */
  readonly logitRows?: number
  readonly dropout?: Seq2SeqDropout
}

/** A graph of static shapes and its dropout sites, which are inputs after the parameters. */
export interface Seq2SeqGraph {
  readonly graph: Graph
  readonly dropout: readonly DropoutMask[]
}

/** An encoder-decoder language model with everything that using, training and saving it needs. */
export interface Seq2Seq {
  readonly kind: "seq2seq"
  readonly config: Seq2SeqConfig
  readonly vocabularySize: number
  /** The rates that the model's config asks for in training. */
  readonly dropout: Seq2SeqDropout
  /**
   * `input_ids` and `attention_mask` `[batch, tokens]`, `decoder_input_ids` and `decoder_attention_mask`
   * `[batch, targetTokens]`, all int64.
   */
  readonly inputs: readonly string[]
  /** `float32` weights by Hugging Face name. */
  readonly parameters: ReadonlyMap<string, Tensor>
  /** Tensors that take part in the model and are not trained (BART's `final_logits_bias`, fixed positions). */
  readonly buffers: ReadonlyMap<string, Tensor>
  /** Longest sequence in tokens, on either side. */
  readonly maxLength: number
  /** Token that fills rows up. */
  readonly padTokenId: number
  /** Token that a target begins with. */
  readonly startTokenId: number
  /** Tokens that end a text. */
  readonly endTokenIds: readonly number[]
  readonly tokenizer: Tokenizer
  /**
   * The model for one static shape: `inputs`, then every parameter as an input of its name, then `packed_rows`,
   * `packed_target_rows`, `logit_rows` and dropout masks. Outputs `logits` `[batch, targetTokens, vocabulary]` and
   * `last_hidden_state` `[batch, targetTokens, hidden]`, the decoder's, or both as `[logitRows, …]`; and
   * `encoder_last_hidden_state` `[batch, tokens, hidden]`. Every value has static dimensions; nodes of outputs that
   * nobody reads go when the graph is called or built into another. More tokens than the model has positions end in
   * `SequenceTooLong`.
   */
  readonly graph: (shape: Seq2SeqShape) => Effect.Effect<Seq2SeqGraph, ModelError>
  /** The model for writing text and scoring it: graphs of any shape. */
  readonly decoding: Effect.Effect<Decoding, ModelError>
  readonly source: Extract<LanguageModelSource, { kind: "weights" }>
}
