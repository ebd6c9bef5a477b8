import type { Tensor } from "@tandem/onnx"
import { Effect } from "effect"
import { isModelError, type ModelError } from "../Errors.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import { bertAnyShapeGraph, bertGraph, bertInputs } from "./BertGraph.ts"
import type { Encoder, EncoderConfig, EncoderGraph, Pooling, Prompts } from "./Encoder.ts"

/** The parts of an encoder whose graph this package builds. */
export interface WeightsEncoderParts {
  readonly config: EncoderConfig
  /** By Hugging Face name without prefix, as `pickBertWeights` gives them. */
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly tokenizer: Tokenizer
  readonly pooling: Pooling
  readonly prompts?: Prompts
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
    config,
    inputs: bertInputs(config),
    parameters,
    pooling,
    prompts: parts.prompts ?? { query: "", passage: "" },
    maxLength: Math.min(parts.maxLength ?? config.maxPositions, config.maxPositions),
    tokenizer,
    graph: (shape) => attempt((): EncoderGraph => bertGraph(config, shape)),
    anyShapeGraph: attempt(() => bertAnyShapeGraph(config)),
    source: { kind: "weights", huggingFace, prefix: parts.prefix ?? "", unused: parts.unused ?? new Map() },
  }
}

/** Runs a pure function, its tagged errors being failures and anything else a defect. */
export const attempt = <A>(body: () => A): Effect.Effect<A, ModelError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (error) {
      return isModelError(error) ? Effect.fail(error) : Effect.die(error)
    }
  })
