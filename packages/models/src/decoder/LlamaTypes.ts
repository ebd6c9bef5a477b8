import type { Activation, DecoderConfig } from "./Decoder.ts"

/** What transformers takes where a config of that type leaves a field out, and what none of its fields says. */
export interface LlamaType {
  readonly maxPositions: number
  readonly keyValueHeads?: number
  readonly headSize?: number
  readonly theta?: number
  readonly tied?: boolean
  readonly normEpsilon?: number
  readonly activation?: Activation
  /** Queries, keys and values always have biases and the attention's output has none. */
  readonly queryKeyValueBias?: boolean
  readonly queryKeyNorms?: DecoderConfig["queryKeyNorms"]
  readonly norms?: DecoderConfig["norms"]
  readonly normOffset?: number
  /** Queries, keys and values are one weight, and so are the two products that open the feed-forward. */
  readonly packed?: boolean
  /** Embeddings are multiplied by the root of their width. */
  readonly scalesEmbeddings?: boolean
  /** Products of queries and keys are divided by the root of this, where no field names another number. */
  readonly scoreDivisor?: number
  readonly scoreCap?: number
  readonly logitCap?: number
  /**
   * Which layers a `sliding_window` holds for: all, those that `use_sliding_window` and the layer types say, or all but
   * every so many.
   */
  readonly window?: "all" | "chosen" | number
  readonly slidingWindow?: number
  /** Every so many layers one does not turn queries and keys. */
  readonly unturnedInterval?: number
  /** Theta of layers with a window, where they have one of their own. */
  readonly localTheta?: number
  readonly originalMaxPositions?: number
}

const gemma: LlamaType = {
  maxPositions: 8192,
  keyValueHeads: 16,
  headSize: 256,
  tied: true,
  activation: "gelu_tanh",
  normOffset: 1,
  scalesEmbeddings: true,
}

/** The types of the Llama family; their blocks differ in nothing but what stands here and in their configs' fields. */
export const llamaTypes: Readonly<Record<string, LlamaType>> = {
  llama: { maxPositions: 2048 },
  mistral: { maxPositions: 131072, keyValueHeads: 8, window: "all", slidingWindow: 4096 },
  qwen2: { maxPositions: 32768, keyValueHeads: 32, queryKeyValueBias: true, window: "chosen", slidingWindow: 4096 },
  qwen3: {
    maxPositions: 32768,
    keyValueHeads: 32,
    headSize: 128,
    queryKeyNorms: "heads",
    window: "chosen",
    slidingWindow: 4096,
  },
  smollm3: { maxPositions: 32768, keyValueHeads: 4, theta: 2e6, tied: true, window: "chosen", unturnedInterval: 4 },
  granite: { maxPositions: 2048 },
  olmo2: { maxPositions: 2048, normEpsilon: 1e-5, queryKeyNorms: "whole", norms: "after" },
  phi3: { maxPositions: 4096, normEpsilon: 1e-5, packed: true, window: "all", originalMaxPositions: 4096 },
  gemma,
  gemma2: {
    ...gemma,
    keyValueHeads: 4,
    norms: "around",
    scoreDivisor: 256,
    scoreCap: 50,
    logitCap: 30,
    window: 2,
    slidingWindow: 4096,
  },
  gemma3_text: {
    ...gemma,
    maxPositions: 131072,
    keyValueHeads: 4,
    queryKeyNorms: "heads",
    norms: "around",
    scoreDivisor: 256,
    window: 6,
    slidingWindow: 4096,
    theta: 1e6,
    localTheta: 1e4,
  },
}
