import { join } from "node:path"
import type { Graph } from "@tandem/onnx"
import { Effect } from "effect"
import { decoderConfig } from "../../decoder/DecoderConfig.ts"
import { decoderInferenceGraph } from "../../decoder/DecoderInference.ts"
import { pickDecoderWeights } from "../../decoder/DecoderParameters.ts"
import { type ModelError, UnsupportedArchitecture } from "../../Errors.ts"
import { bertConfig, pickBertWeights } from "../../encoder/Bert.ts"
import { bertInferenceGraph } from "../../encoder/BertGraph.ts"
import { type ModelKind, modelKind, modelTypes } from "../../files/ModelTypes.ts"
import { modelFiles } from "../../node/ModelFiles.ts"
import { attempt } from "../Attempt.ts"
import { readWeights, type Weights } from "../Weights.ts"
import { readJson } from "./Files.ts"

type Json = Readonly<Record<string, unknown>>

/**
 * The graph that this package builds around the safetensors weights of a directory, by the `model_type` of its
 * `config.json`; undefined where there are no weights. An architecture that it does not build, or that is more than one
 * graph, ends in `UnsupportedArchitecture`.
 */
export const weightsGraph = Effect.fn("weightsGraph")(function* (
  directory: string,
): Effect.fn.Return<{ readonly file: string; readonly graph: Graph } | undefined, ModelError> {
  const weights = yield* readWeights(modelFiles(directory))
  if (weights === undefined) return undefined
  const configFile = join(directory, "config.json")
  const config = yield* readJson(configFile)
  return yield* attempt(() => {
    const kind = modelKind(config["model_type"])
    if (kind === undefined) throw unsupported(config, configFile, "no graph is built for models of this type")
    return { file: weights.file, graph: builders[kind](config, configFile, weights) }
  })
})

const unsupported = (config: Json, file: string, message: string): UnsupportedArchitecture => {
  const type = config["model_type"]
  return new UnsupportedArchitecture({
    message: `${message}: ${type === undefined ? "nothing" : String(type)}`,
    file,
    field: "model_type",
    expected: [...modelTypes.encoder, ...modelTypes.decoder].join(", "),
    found: type === undefined ? "nothing" : String(type),
    hint: "use an ONNX export of the model: a directory with onnx/model.onnx",
  })
}

const builders: Readonly<Record<ModelKind, (config: Json, file: string, weights: Weights) => Graph>> = {
  encoder: (config, file, weights) => {
    const settings = bertConfig(config, file)
    return bertInferenceGraph(settings, pickBertWeights(settings, weights.tensors, weights.file).parameters)
  },
  decoder: (config, file, weights) => {
    const settings = decoderConfig(config, file)
    return decoderInferenceGraph(settings, pickDecoderWeights(settings, weights.tensors, weights.file).parameters)
  },
  seq2seq: (config, file) => {
    throw unsupported(config, file, "an encoder-decoder is two graphs, of which an ONNX export has one a file")
  },
}
