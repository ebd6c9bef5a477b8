import { join } from "node:path"
import type { Graph } from "@tandem/onnx"
import { Effect } from "effect"
import { decoderConfig } from "../../decoder/DecoderConfig.ts"
import { decoderInferenceGraph } from "../../decoder/DecoderInference.ts"
import { pickDecoderWeights } from "../../decoder/DecoderParameters.ts"
import type { ModelError } from "../../Errors.ts"
import { bertConfig, pickBertWeights } from "../../encoder/Bert.ts"
import { bertInferenceGraph } from "../../encoder/BertGraph.ts"
import { attempt } from "../Attempt.ts"
import { readJson } from "./Files.ts"
import { readWeights } from "./Weights.ts"

/**
 * The graph that this package builds around the safetensors weights of a directory, by the `model_type` of its
 * `config.json`; undefined where there are no weights. An architecture that it does not build ends in
 * `UnsupportedArchitecture`.
 */
export const weightsGraph = Effect.fn("weightsGraph")(function* (
  directory: string,
): Effect.fn.Return<{ readonly file: string; readonly graph: Graph } | undefined, ModelError> {
  const weights = yield* readWeights(directory)
  if (weights === undefined) return undefined
  const { file, tensors } = weights
  const configFile = join(directory, "config.json")
  const config = yield* readJson(configFile)
  const encoder = ["bert", "distilbert", "dpr"].includes(String(config["model_type"]))
  return yield* attempt(() => {
    if (encoder) {
      const settings = bertConfig(config, configFile)
      return { file, graph: bertInferenceGraph(settings, pickBertWeights(settings, tensors, file).parameters) }
    }
    const settings = decoderConfig(config, configFile)
    return {
      file,
      graph: decoderInferenceGraph(settings, pickDecoderWeights(settings, tensors, file).parameters),
    }
  })
})
