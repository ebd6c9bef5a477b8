import type { Similarity, Tensor } from "@tandem/onnx"
import { attempt } from "../internal/Attempt.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import { bertAnyShapeGraph, bertGraph, bertInputs } from "./BertGraph.ts"
import type { BertConfig, Encoder, EncoderGraph, Pooling, Prompts } from "./Encoder.ts"

/** The parts of an encoder whose graph this package builds. */
export interface WeightsEncoderParts {
  readonly config: BertConfig
  /** By Hugging Face name without prefix, as `pickBertWeights` gives them. */
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly tokenizer: Tokenizer
  readonly pooling: Pooling
  readonly prompts?: Prompts
  readonly similarity?: Similarity | undefined
  readonly maxLength?: number
  /** `config.json` as it was read or made. */
  readonly huggingFace: Readonly<Record<string, unknown>>
  readonly prefix?: string
  readonly unused?: ReadonlyMap<string, Tensor>
}

/** An encoder over named weights of a BERT-family architecture. */
export const weightsEncoder = (parts: WeightsEncoderParts): Encoder => {
  const { config, parameters, tokenizer, pooling, huggingFace } = parts
  return {
    kind: "encoder",
    config,
    inputs: bertInputs(config),
    parameters,
    pooling,
    prompts: parts.prompts ?? { query: "", passage: "" },
    similarity: parts.similarity,
    maxLength: Math.min(parts.maxLength ?? config.maxPositions, config.maxPositions),
    tokenizer,
    graph: (shape) => attempt((): EncoderGraph => bertGraph(config, shape)),
    anyShapeGraph: attempt(() => bertAnyShapeGraph(config)),
    source: { kind: "weights", config, huggingFace, prefix: parts.prefix ?? "", unused: parts.unused ?? new Map() },
  }
}
