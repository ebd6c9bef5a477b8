import type { BlockWeight, Graph, Tensor } from "@tandem/onnx"
import type { Runtime } from "@tandem/runtime"
import type { Effect } from "effect"
import type { ModelError } from "../Errors.ts"
import type { DropoutMask, DropoutRates } from "../encoder/Encoder.ts"
import type { TiedWeight } from "../exported/TiedWeights.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import type { Decoding } from "./Decoding.ts"
import type { Rope } from "./Rope.ts"

/** Activations of feed-forward layers. */
export type Activation = "silu" | "gelu" | "gelu_tanh" | "relu"

/** What is particular to one block of a decoder. */
export interface DecoderLayer {
  /** How many tokens back a token sees, itself included; all where undefined. */
  readonly window: number | undefined
  /** How queries and keys are turned by their positions; not at all where undefined. */
  readonly rope: Rope | undefined
  /** Multiplies the products of queries and keys. */
  readonly scale: number
}

/** Which naming and block layout the weights of a decoder have. */
export type DecoderFamily = "gpt2" | "llama"

/** The dimensions and settings of a decoder-only language model. */
export interface DecoderConfig {
  readonly family: DecoderFamily
  readonly vocabularySize: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly heads: number
  /** Heads of keys and values; each serves `heads / keyValueHeads` heads of queries. */
  readonly keyValueHeads: number
  readonly headSize: number
  readonly maxPositions: number
  readonly layers: readonly DecoderLayer[]
  readonly activation: Activation
  readonly normEpsilon: number
  /** Whether the vocabulary's output weights are its embeddings. */
  readonly tiedEmbeddings: boolean
  /** What of queries and keys is normalized before they are turned: each head by itself, or all heads as one. */
  readonly queryKeyNorms: "none" | "heads" | "whole"
  /** Where the norms of attention and feed-forward stand: before them, behind them, or both. */
  readonly norms: "before" | "after" | "around"
  /** Is added to the weights of norms. */
  readonly normOffset: number
  /** Whether queries, keys and values are one weight, and in the Llama family the feed-forward's first two products, too. */
  readonly packed: boolean
  readonly embeddingScale: number
  /** Multiplies what attention and feed-forward add. */
  readonly residualScale: number
  readonly logitScale: number
  /** Scores of attention and logits x become cap · tanh(x / cap). */
  readonly scoreCap: number | undefined
  readonly logitCap: number | undefined
  readonly biases: { readonly queryKeyValue: boolean; readonly attentionOutput: boolean; readonly feedForward: boolean }
  /** The rates that the model's config asks for in training; `hidden` also on GPT-2's embeddings. */
  readonly dropout: DropoutRates
}

/** Prefixes that rows of a batch share: each belongs to the next `batch / rows` of them. */
export interface PrefixShape {
  readonly rows: number
  readonly tokens: number
}

/** What a decoder's graph is built for. Without `dropout` the graph has none. */
export interface DecoderShape {
  readonly batch: number
  readonly tokens: number
  /**
   * Where rows share what they begin with: the rows hold what stands behind it, and the prefixes are computed once (see
   * `decoderGraph`). A prefix and a row of it together have at most `maxLength` real tokens; each alone is at most that
   * long with its padding. Models from ONNX files know no prefixes.
   */
  readonly prefix?: PrefixShape
  /**
   * Number of places that token-wise work is done on, at least the batch's real tokens; all where absent. The graph then
   * has the input `packed_rows` (see `decoderGraph`). Models from ONNX files know no packing.
   */
  readonly packedRows?: number
  /**
   * Number of places that logits are computed at; all where absent. The graph then has the input `logit_rows`
   * `[logitRows] int64`: distinct places `row · tokens + column`. The logit at a place predicts the token after it.
   */
  readonly logitRows?: number
  readonly dropout?: DropoutRates
}

/** A graph of static shapes and its dropout sites, which are inputs after the parameters. */
export interface DecoderGraph {
  readonly graph: Graph
  readonly dropout: readonly DropoutMask[]
}

/** Where a language model came from, which decides how it is saved. */
export type LanguageModelSource =
  | {
      /** Named weights and a graph that this package builds. */
      readonly kind: "weights"
      /** `config.json` as it was read or made. */
      readonly huggingFace: Readonly<Record<string, unknown>>
      /** `generation_config.json` where there is one. */
      readonly generation: Readonly<Record<string, unknown>> | undefined
      /** Tensors of the file that the model does not read, by their own names. */
      readonly unused: ReadonlyMap<string, Tensor>
      /** Further small files that are saved with the model, such as `chat_template.jinja`, by name. */
      readonly files: ReadonlyMap<string, string>
    }
  | {
      /** An ONNX model, of which only the trained initializers will be overwritten. */
      readonly kind: "onnx"
      readonly huggingFace: Readonly<Record<string, unknown>>
      readonly directory: string
      /** Path of the model inside the directory, such as `onnx/model.onnx`. */
      readonly modelFile: string
      readonly graph: Graph
      /** Copies of weights in the file, which follow their weights. */
      readonly tied: ReadonlyMap<string, TiedWeight>
    }

/** What is quantised of a decoder, and the decoder that it would be without (see `quantizeWeights`). */
export interface QuantizedWeights {
  /** Matrices in blocks, by name. */
  readonly blocks: ReadonlyMap<string, BlockWeight>
  /** The names of all parameters in their order, quantised ones among them. */
  readonly names: readonly string[]
  /** Graphs that read the matrices as floats. */
  readonly plain: Pick<Decoder, "graph" | "decoding">
}

/** A decoder-only language model with everything that using, training and saving it needs. */
export interface Decoder {
  readonly kind: "decoder"
  /** The dimensions, or undefined where the model is an ONNX file, which has them inside. */
  readonly config: DecoderConfig | undefined
  readonly vocabularySize: number
  /** The rates that the model's config asks for in training; 0 where the graph has no dropout. */
  readonly dropout: DropoutRates
  /** `input_ids` and `attention_mask`: `[batch, tokens] int64`. Padding may stand on either side. */
  readonly inputs: readonly string[]
  /** `float32` weights by Hugging Face name, or by initializer name where the model is an ONNX file. */
  readonly parameters: ReadonlyMap<string, Tensor>
  /**
   * Further inputs of `graph`, by name, that no gradient reaches: weights of 4 and 8 bits with their scales and zero
   * points. Empty where nothing is quantised.
   */
  readonly frozen: ReadonlyMap<string, Tensor>
  /** Where `quantizeWeights` made the frozen weights; undefined where the file has them, or there are none. */
  readonly quantized: QuantizedWeights | undefined
  /** Longest sequence in tokens. */
  readonly maxLength: number
  /** Token that fills rows up. */
  readonly padTokenId: number
  /** Tokens that end a text. */
  readonly endTokenIds: readonly number[]
  readonly tokenizer: Tokenizer
  /**
   * The model for one static shape: `inputs`, then every parameter and frozen weight as an input of its name, the prefixes' inputs,
   * `packed_rows`, `logit_rows` and dropout masks. Outputs `logits` `[batch, tokens, vocabulary]` and `last_hidden_state`
   * `[batch, tokens, hidden]` (ONNX files: logits alone), or both as `[logitRows, …]`. Every value has static
   * dimensions; nodes of outputs that nobody reads go when the graph is called or built into another. More tokens than
   * the model has positions end in `SequenceTooLong`.
   */
  readonly graph: (shape: DecoderShape) => Effect.Effect<DecoderGraph, ModelError, Runtime>
  /** The model for writing text and scoring it: one graph of any shape. */
  readonly decoding: Effect.Effect<Decoding, ModelError>
  readonly source: LanguageModelSource
}
