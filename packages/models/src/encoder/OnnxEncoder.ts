import { consumers, fuse, type Graph, GraphBuilder, type Similarity, type Tensor, type Value } from "@tandem/onnx"
import { type Runtime, specialize } from "@tandem/runtime"
import { Effect } from "effect"
import { type ModelError, SequenceTooLong, UnsupportedEncoder } from "../Errors.ts"
import { prepareGraph, prepareInference } from "../exported/PrepareGraph.ts"
import { settingsOf } from "../exported/Settings.ts"
import { tiedWeights, tieWeights } from "../exported/TiedWeights.ts"
import { isSetting, usesOf } from "../exported/TrainableParameters.ts"
import { attempt } from "../internal/Attempt.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import {
  type Encoder,
  type EncoderConfig,
  type EncoderGraph,
  type EncoderShape,
  embeddingSize,
  type Pooling,
  type Prompts,
} from "./Encoder.ts"
import { embeddingWidth, idTable, tokenEmbeddings } from "./EncoderEnds.ts"

/** The parts of an encoder that is an ONNX model. */
export interface OnnxEncoderParts {
  readonly graph: Graph
  readonly config: EncoderConfig
  readonly tokenizer: Tokenizer
  readonly pooling: Pooling
  readonly prompts: Prompts
  readonly similarity?: Similarity | undefined
  readonly maxLength: number
  readonly huggingFace: Readonly<Record<string, unknown>>
  readonly directory: string
  readonly modelFile: string
}

/**
 * An encoder over an ONNX model of any architecture. Its parameters are the `float32` initializers of more than one
 * element that the token embeddings depend on, but for scales of quantized weights and settings of positions and masks
 * (`settingsOf`); copies of one weight are one parameter (`tiedWeights`). Exports hold no dropout, so its graphs have no dropout sites.
 *
 * A model with other inputs than the three of encoders, or with inputs of one shape alone, without token embeddings of the
 * config's width among its outputs, or without `float32` weights ends in `UnsupportedEncoder`.
 */
export const onnxEncoder = (parts: OnnxEncoderParts): Encoder => {
  const { config, tokenizer, pooling, prompts, maxLength, huggingFace, directory, modelFile } = parts
  const file = `${directory}/${modelFile}`
  const whole = tokenEmbeddings(parts.graph, file)
  const readers = consumers(whole)
  const settings = settingsOf(whole)
  const weights = new Map(
    [...whole.initializers].filter(
      ([name, { type, data }]) =>
        type === "float32" && data.length > 1 && !settings.has(name) && !isSetting(usesOf(readers, name)),
    ),
  )
  const tied = tiedWeights(weights)
  const model = tieWeights(whole, tied)
  const parameters = new Map([...weights].filter(([name]) => !tied.has(name)))
  if (parameters.size === 0) {
    throw new UnsupportedEncoder({
      message: "the model holds no float32 weights, so it cannot be trained",
      file,
      hint: "use the full-precision export, onnx/model.onnx",
    })
  }
  const width = embeddingWidth(whole, config, file)
  return {
    kind: "encoder",
    config: {
      ...config,
      ...(embeddingSize(config) === 0 && width !== undefined ? { hiddenSize: width } : {}),
      vocabularySize: idTable(whole)?.dims[0] ?? config.vocabularySize,
      dropout: { hidden: 0, attention: 0 },
    },
    inputs: model.inputs.map((input) => input.name),
    parameters,
    pooling,
    prompts,
    similarity: parts.similarity,
    maxLength: Math.min(maxLength, config.maxPositions),
    tokenizer,
    graph: (shape) => staticGraph(model, parameters, config, shape),
    anyShapeGraph: attempt(() => withParameterInputs(prepareInference(model), parameters)),
    source: {
      kind: "onnx",
      huggingFace,
      directory,
      modelFile,
      graph: parts.graph,
      tied,
      settings: new Set(settings.keys()),
    },
  }
}

const staticGraph = (
  model: Graph,
  parameters: ReadonlyMap<string, Tensor>,
  config: EncoderConfig,
  { batch, tokens, firstTokens }: EncoderShape,
): Effect.Effect<EncoderGraph, ModelError, Runtime> =>
  Effect.gen(function* () {
    if (tokens > config.maxPositions) {
      return yield* new SequenceTooLong({
        message: `the model has no positions for ${tokens} tokens`,
        expected: `at most ${config.maxPositions}`,
        found: `${tokens}`,
        hint: "lower the maximum length",
      })
    }
    const prepared = yield* attempt(() => prepareGraph(model))
    const shapes = Object.fromEntries(prepared.inputs.map((input) => [input.name, [batch, tokens]]))
    const graph = yield* specialize(prepared, shapes, { parameters: new Set(parameters.keys()) })
    const whole = withParameterInputs(yield* attempt(() => fuse(graph)), parameters)
    return { graph: firstTokens === true ? atFirstTokens(whole) : whole, dropout: [] }
  })

/** The graph whose states are those of the first tokens, `[batch, 1, hidden]`. */
const atFirstTokens = (graph: Graph): Graph => {
  const g = new GraphBuilder()
  const states = g.callWithInputs(graph).outputs["last_hidden_state"]!
  return g.build({ last_hidden_state: g.slice(states, 1, 0, 1) }, graph.name)
}

/** The graph with the named initializers as inputs, after its own. */
export const withParameterInputs = (graph: Graph, parameters: ReadonlyMap<string, Tensor>): Graph => {
  const inputs = [...parameters].map(([name, { type, dims }]): Value => ({ name, type, dims }))
  return {
    ...graph,
    inputs: [...graph.inputs, ...inputs],
    initializers: new Map([...graph.initializers].filter(([name]) => !parameters.has(name))),
    values: new Map([...graph.values, ...inputs.map((value) => [value.name, value] as const)]),
  }
}

/**
 * The settings of an ONNX encoder of any architecture from its `config.json`, under the names that architectures use.
 * Only the number of positions matters to graphs; what is missing is 0.
 */
export const onnxEncoderConfig = (json: Readonly<Record<string, unknown>>): EncoderConfig => {
  const number = (...fields: readonly string[]): number => {
    const values = fields.map((field) => json[field])
    return values.find((value): value is number => typeof value === "number") ?? 0
  }
  const type = json["model_type"]
  const positions = number("max_position_embeddings", "n_positions")
  // RoBERTa's positions start after the padding token's id, so two of them are never used.
  const unused = typeof type === "string" && /roberta|mpnet|camembert/.test(type) ? number("pad_token_id") + 1 : 0
  return {
    architecture: typeof type === "string" ? type : "onnx",
    hiddenSize: number("hidden_size", "dim", "d_model"),
    layers: number("num_hidden_layers", "n_layers", "num_layers"),
    heads: number("num_attention_heads", "n_heads", "num_heads"),
    intermediateSize: number("intermediate_size", "hidden_dim", "d_ff"),
    maxPositions: positions > 0 ? positions - unused : Number.MAX_SAFE_INTEGER,
    vocabularySize: number("vocab_size"),
    typeVocabularySize: number("type_vocab_size"),
    projectionSize: 0,
    padTokenId: number("pad_token_id"),
    layerNormEpsilon: number("layer_norm_eps", "layer_norm_epsilon"),
    activation: "gelu",
    dropout: { hidden: 0, attention: 0 },
    doLowerCase: false,
  }
}
