import type { Tensor } from "@tandem/onnx"
import { attempt } from "../internal/Attempt.ts"
import { tokenIds } from "../tokenizer/TokenIds.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import type { Decoder, DecoderConfig, DecoderGraph } from "./Decoder.ts"
import { decoderGraph, decoderInputs, longestSequence } from "./DecoderGraph.ts"
import type { Decoding } from "./Decoding.ts"
import { decodingCaches, decodingGraph } from "./DecodingGraph.ts"
import { scoringGraph } from "./ScoringGraph.ts"

type Json = Readonly<Record<string, unknown>>

/** The parts of a decoder whose graph this package builds. */
export interface WeightsDecoderParts {
  readonly config: DecoderConfig
  /** By Hugging Face name, as `pickWeights` gives them. */
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly tokenizer: Tokenizer
  readonly maxLength?: number
  /** `config.json` as it was read or made. */
  readonly huggingFace: Json
  readonly generation?: Json | undefined
  readonly unused?: ReadonlyMap<string, Tensor>
  readonly files?: ReadonlyMap<string, string>
}

/** A decoder over named weights of an architecture that this package builds. */
export const weightsDecoder = (parts: WeightsDecoderParts): Decoder => {
  const { config, parameters, tokenizer, huggingFace, generation } = parts
  const limit = longestSequence(config)
  return {
    kind: "decoder",
    config,
    vocabularySize: config.vocabularySize,
    dropout: config.dropout,
    inputs: decoderInputs,
    parameters,
    frozen: new Map(),
    quantized: undefined,
    maxLength: Math.min(parts.maxLength ?? limit, limit),
    ...tokenIds(huggingFace, generation, tokenizer),
    tokenizer,
    graph: (shape) => attempt((): DecoderGraph => decoderGraph(config, shape)),
    decoding: attempt(
      (): Decoding => ({
        graph: decodingGraph(config),
        scoring: scoringGraph(config),
        caches: decodingCaches(config),
        uneven: true,
        encoder: undefined,
      }),
    ),
    source: {
      kind: "weights",
      huggingFace,
      generation,
      unused: parts.unused ?? new Map(),
      files: parts.files ?? new Map(),
    },
  }
}
