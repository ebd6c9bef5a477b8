import { join } from "node:path"
import type { Graph } from "@tandem/onnx"
import { Effect } from "effect"
import { bertConfig, pickBertWeights } from "../Bert.ts"
import { bertInferenceGraph } from "../BertGraph.ts"
import { decoderConfig } from "../DecoderConfig.ts"
import { decoderInferenceGraph } from "../DecoderInference.ts"
import { decoderParameters, pickWeights } from "../DecoderParameters.ts"
import type { ModelError } from "../Errors.ts"
import { readJson } from "../internal/node/Files.ts"
import { readWeights } from "../internal/node/Weights.ts"
import { attempt } from "../WeightsEncoder.ts"

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
      graph: decoderInferenceGraph(settings, pickWeights(decoderParameters(settings), tensors, file).parameters),
    }
  })
})
