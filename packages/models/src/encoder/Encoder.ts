import type { Graph, Similarity, Tensor } from "@tandem/onnx"
import type { Runtime } from "@tandem/runtime"
import type { Effect } from "effect"
import type { ModelError } from "../Errors.ts"
import type { TiedWeight } from "../exported/TiedWeights.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"

/** One dropout site of a graph: a `bool` input (true keeps an element) and the share of elements to drop. */
export interface DropoutMask {
  readonly input: string
  readonly rate: number
}

/** Shares of elements that dropout sets to zero: on hidden states and on attention probabilities. */
export interface DropoutRates {
  readonly hidden: number
  readonly attention: number
}

/** What a graph is built for. Without `dropout` the graph has none. */
export interface EncoderShape {
  readonly batch: number
  readonly tokens: number
  /**
   * Number of places that token-wise work is done on, at least the batch's real tokens; all where absent. The graph then
   * has the input `packed_rows` (see `bertGraph`). Models from ONNX files know no packing.
   */
  readonly packedRows?: number
  /**
   * Groups of consecutive texts that attend within their own length, in the batch's order; one group where absent. No
   * text may have real tokens beyond its group's length. Models from ONNX files know no groups.
   */
  readonly groups?: readonly LengthGroup[]
  /** Whether every text is as long as its group, so that no place is padding and attention needs no mask. */
  readonly full?: boolean
  /**
   * Whether the first token of each text, a real one, is all that is wanted. `last_hidden_state` is then
   * `[batch, 1, hidden]`, and the last block computes no more than keys and values of other tokens.
   */
  readonly firstTokens?: boolean
  readonly dropout?: DropoutRates
}

/** So many texts of at most so many tokens. */
export interface LengthGroup {
  readonly rows: number
  readonly tokens: number
}

/** A graph of static shapes and its dropout sites, which are inputs after the parameters. */
export interface EncoderGraph {
  readonly graph: Graph
  readonly dropout: readonly DropoutMask[]
}

/** How token embeddings become one vector per text. */
export interface Pooling {
  readonly mode: "mean" | "cls" | "max" | "last"
  /** Whether the vector is scaled to unit length. */
  readonly normalize: boolean
}

/** Texts that the model wants before queries and passages; empty where its files name none. */
export interface Prompts {
  readonly query: string
  readonly passage: string
}

/** The dimensions and settings of an encoder. */
export interface EncoderConfig {
  /** The family for graphs that this package builds, else the `model_type` of an ONNX model's config. */
  readonly architecture: string
  readonly hiddenSize: number
  readonly layers: number
  readonly heads: number
  readonly intermediateSize: number
  readonly maxPositions: number
  readonly vocabularySize: number
  /** Number of segment embeddings; 0 where the model has none. */
  readonly typeVocabularySize: number
  /** Width of `last_hidden_state` where the model projects it (DPR's `projection_dim`), else 0. */
  readonly projectionSize: number
  readonly padTokenId: number
  readonly layerNormEpsilon: number
  readonly activation: "gelu" | "gelu_tanh" | "relu"
  /** The rates that the model's config asks for in training. */
  readonly dropout: DropoutRates
  readonly doLowerCase: boolean
}

/** Which naming and block layout the weights of an encoder have whose graph this package builds. */
export type BertFamily = "bert" | "distilbert"

/** The dimensions and settings of an encoder whose graph this package builds. */
export interface BertConfig extends EncoderConfig {
  readonly family: BertFamily
}

/** Where an encoder came from, which decides how it is saved. */
export type EncoderSource =
  | {
      /** Named weights and a graph that this package builds. */
      readonly kind: "weights"
      readonly config: BertConfig
      /** `config.json` as it was read or made. */
      readonly huggingFace: Readonly<Record<string, unknown>>
      /** What stood before the parameters' names in the file, such as `question_encoder.bert_model.`. */
      readonly prefix: string
      /** Tensors of the file that the embeddings do not depend on, such as BERT's pooler, by their own names. */
      readonly unused: ReadonlyMap<string, Tensor>
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
      /** Names of float tensors in the file that are no weights and decide embeddings all the same, such as rotary frequencies. */
      readonly settings: ReadonlySet<string>
    }

/** A model that turns texts into token embeddings, with everything that using, training and saving it needs. */
export interface Encoder {
  readonly kind: "encoder"
  readonly config: EncoderConfig
  /** Those of `input_ids`, `attention_mask` and `token_type_ids` that the model takes, in the graph's order. */
  readonly inputs: readonly string[]
  /** `float32` weights by Hugging Face name, or by initializer name where the model is an ONNX file. */
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly pooling: Pooling
  readonly prompts: Prompts
  /** How the model's files say that embeddings are compared; undefined where they do not say. */
  readonly similarity: Similarity | undefined
  /** Longest sequence in tokens, special tokens included, that texts are cut to. */
  readonly maxLength: number
  readonly tokenizer: Tokenizer
  /**
   * The token embeddings for one static shape: `inputs` as `[batch, tokens]` int64, then every parameter as an input of
   * its name, then dropout masks; output `last_hidden_state` as `[batch, tokens, hidden]`, or `[batch, 1, hidden]`
   * of first tokens. Every value has static dimensions. More tokens than the model has positions end in `SequenceTooLong`.
   */
  readonly graph: (shape: EncoderShape) => Effect.Effect<EncoderGraph, ModelError, Runtime>
  /**
   * The token embeddings for every batch and length, for inference: `inputs` as `[batch, sequence]` int64, then every
   * parameter as an input of its name; output `last_hidden_state` as `[batch, sequence, hidden]`, without dropout.
   */
  readonly anyShapeGraph: Effect.Effect<Graph, ModelError>
  readonly source: EncoderSource
}

/** Width of the encoder's embeddings. */
export const embeddingSize = (config: EncoderConfig): number =>
  config.projectionSize > 0 ? config.projectionSize : config.hiddenSize
