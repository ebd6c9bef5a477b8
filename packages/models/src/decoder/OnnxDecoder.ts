import {
  deadCode,
  describeValue,
  fuse,
  type Graph,
  GraphBuilder,
  int64,
  type Node,
  producers,
  type Tensor,
  type Value,
} from "@tandem/onnx"
import { type Runtime, specialize } from "@tandem/runtime"
import { Effect } from "effect"
import { InvalidLanguageModel, type ModelError, SequenceTooLong, UnsupportedArchitecture } from "../Errors.ts"
import { withParameterInputs } from "../encoder/OnnxEncoder.ts"
import { prepareGraph } from "../exported/PrepareGraph.ts"
import { settingsOf } from "../exported/Settings.ts"
import { tiedWeights, tieWeights } from "../exported/TiedWeights.ts"
import { isWeight } from "../exported/TrainableParameters.ts"
import { attempt } from "../internal/Attempt.ts"
import { maskPositions } from "../internal/TokenRows.ts"
import { tokenIds } from "../tokenizer/TokenIds.ts"
import type { Tokenizer } from "../tokenizer/Tokenizer.ts"
import type { Decoder, DecoderGraph, DecoderShape } from "./Decoder.ts"
import { decoderInputs } from "./DecoderGraph.ts"
import { onnxDecoding } from "./OnnxDecoding.ts"

type Json = Readonly<Record<string, unknown>>

/** The parts of a decoder that is an ONNX model. */
export interface OnnxDecoderParts {
  readonly graph: Graph
  readonly tokenizer: Tokenizer
  readonly maxLength?: number
  readonly huggingFace: Json
  readonly generation?: Json | undefined
  readonly directory: string
  readonly modelFile: string
}

const isPast = (name: string): boolean => /^past(_key_values)?\./.test(name)

/**
 * A decoder over an ONNX model of any architecture, with or without a key-value cache. It is trained with an empty past;
 * its `present.*` outputs are left out. Its parameters are the `float32` initializers of more than one element that the
 * logits depend on, settings and frozen quantized weights aside; copies of one weight, as of embeddings that are the
 * output layer, too, are one. Exports hold no dropout, so its graphs have no
 * dropout sites.
 *
 * A model with other inputs than a decoder's, without logits or without `float32` weights ends in
 * `UnsupportedArchitecture`.
 */
export const onnxDecoder = (parts: OnnxDecoderParts): Decoder => {
  const { tokenizer, huggingFace, generation, directory, modelFile, graph } = parts
  checkEnds(graph, modelFile)
  const whole = deadCode({ ...graph, outputs: graph.outputs.filter(({ name }) => name === "logits") })
  const weights = trainableWeights(whole)
  const tied = tiedWeights(weights)
  const model = tieWeights(whole, tied)
  const parameters = new Map([...weights].filter(([name]) => !tied.has(name)))
  const frozen = frozenWeights(whole)
  if (parameters.size === 0) {
    throw new UnsupportedArchitecture({
      message: "the model holds no float32 weights, so it cannot be trained",
      file: modelFile,
      hint: "use the full-precision export, onnx/model.onnx",
    })
  }
  const limit = positionsOf(huggingFace)
  const vocabulary = huggingFace["vocab_size"]
  return {
    kind: "decoder",
    config: undefined,
    vocabularySize: typeof vocabulary === "number" ? vocabulary : tokenizer.vocabularySize,
    dropout: { hidden: 0, attention: 0 },
    inputs: decoderInputs,
    parameters,
    frozen,
    quantized: undefined,
    maxLength: Math.min(parts.maxLength ?? limit, limit),
    ...tokenIds(huggingFace, generation, tokenizer),
    tokenizer,
    graph: (shape) => staticGraph(model, { parameters, frozen }, limit, shape),
    decoding: attempt(() => onnxDecoding({ graph: tieWeights(graph, tied), parameters, huggingFace, modelFile })),
    source: { kind: "onnx", huggingFace, directory, modelFile, graph, tied },
  }
}

const positionsOf = (huggingFace: Json): number => {
  const value = huggingFace["max_position_embeddings"] ?? huggingFace["n_positions"]
  return typeof value === "number" && value > 0 ? value : Number.MAX_SAFE_INTEGER
}

const plainInputs = ["input_ids", "attention_mask", "position_ids", "use_cache_branch", "num_logits_to_keep"]

const checkEnds = (graph: Graph, file: string): void => {
  const inputs = graph.inputs.filter(({ name }) => !graph.initializers.has(name))
  const foreign = inputs.find(({ name }) => !plainInputs.includes(name) && !isPast(name))
  const logits = graph.outputs.some(({ name }) => name === "logits")
  if (foreign === undefined && logits && inputs.some(({ name }) => name === "input_ids")) return
  throw new UnsupportedArchitecture({
    message: logits ? "the model takes other inputs than a decoder's" : "the model has no logits among its outputs",
    file,
    expected: logits ? [...plainInputs, "past_key_values.*"].join(", ") : "logits",
    found: (logits ? inputs : graph.outputs).map(({ name }) => name).join(", "),
  })
}

/** Operands that hold settings rather than weights: tables of rotary angles, quantized weights with their scales. */
const frozenOperands: Readonly<Record<string, readonly number[]>> = {
  RotaryEmbedding: [1, 2, 3],
  GroupQueryAttention: [7, 8],
  MatMulNBits: [1, 2, 3, 4],
  GatherBlockQuantized: [0, 2, 3],
  DequantizeLinear: [0, 1, 2],
  DynamicQuantizeLinear: [0],
  Cos: [0],
  Sin: [0],
}

/** The weights that the outputs depend on otherwise than through rotary angles and quantized weights. */
const trainableWeights = (graph: Graph): ReadonlyMap<string, Tensor> => {
  const makers = producers(graph)
  const seen = new Set<string>()
  const queue = graph.outputs.map(({ name }) => name)
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (seen.has(name)) continue
    seen.add(name)
    const node = makers.get(name)
    if (node === undefined) continue
    const frozen = frozenOperands[node.op] ?? []
    for (const [index, input] of node.inputs.entries()) if (!frozen.includes(index)) queue.push(input)
  }
  const settings = settingsOf(graph)
  return new Map(
    [...graph.initializers].filter(([name, value]) => seen.has(name) && isWeight(value) && !settings.has(name)),
  )
}

/** Weights of few bits that products and look-ups read, with their scales and zero points. */
const frozenWeights = (graph: Graph): ReadonlyMap<string, Tensor> => {
  const operands = ["MatMulNBits", "GatherBlockQuantized"]
  const names = new Set(
    graph.nodes.flatMap(({ op, inputs }) =>
      operands.includes(op) ? inputs.filter((_, index) => frozenOperands[op]?.includes(index)) : [],
    ),
  )
  return new Map([...graph.initializers].filter(([name]) => names.has(name)))
}

const staticGraph = (
  model: Graph,
  { parameters, frozen }: Pick<Decoder, "parameters" | "frozen">,
  limit: number,
  shape: DecoderShape,
): Effect.Effect<DecoderGraph, ModelError, Runtime> =>
  Effect.gen(function* () {
    const { batch, tokens, prefix, packedRows, logitRows } = shape
    if (tokens > limit) {
      return yield* new SequenceTooLong({
        message: `the model has no positions for ${tokens} tokens`,
        expected: `at most ${limit}`,
        found: `${tokens}`,
        hint: "lower the maximum length",
      })
    }
    if (packedRows !== undefined) {
      return yield* new InvalidLanguageModel({ message: "graphs of ONNX files cannot be packed", field: "packedRows" })
    }
    if (prefix !== undefined) {
      return yield* new InvalidLanguageModel({ message: "graphs of ONNX files share no prefixes", field: "prefix" })
    }
    const weights = new Map([...parameters, ...frozen])
    const whole = yield* attempt(() => withoutPast(prepareGraph(model), batch, tokens, weights))
    const shapes = { input_ids: [batch, tokens], attention_mask: [batch, tokens] }
    const graph = yield* specialize(whole, shapes, { parameters: new Set(parameters.keys()) })
    return yield* attempt(() => {
      const fused = withParameterInputs(fuse(withoutEmpty(graph)), weights)
      return { graph: logitRows === undefined ? fused : atRows(fused, logitRows), dropout: [] }
    })
  })

/** The model with an empty past and positions that count real tokens; its inputs are `input_ids` and `attention_mask`. */
const withoutPast = (model: Graph, batch: number, tokens: number, weights: ReadonlyMap<string, Tensor>): Graph => {
  const g = new GraphBuilder()
  const bindings: Record<string, Value> = {}
  const ends = Object.fromEntries(decoderInputs.map((name) => [name, g.input(name, "int64", [batch, tokens])]))
  for (const [name, value] of weights) bindings[name] = g.initializer(name, value)
  for (const { name, type, dims } of model.inputs) {
    if (model.initializers.has(name)) continue
    if (isPast(name)) {
      const sizes = (dims ?? []).map((dim, axis) => (typeof dim === "number" ? dim : axis === 0 ? batch : 0))
      if (type !== "float32" || !sizes.slice(1).includes(0)) {
        throw new UnsupportedArchitecture({
          message: `the cache input ${name} has no length that can be empty`,
          field: name,
          expected: "float32[batch, heads, past length, head size]",
          found: `${type}[${dims ?? "?"}]`,
        })
      }
      bindings[name] = g.constant({ type, dims: sizes, data: new Float32Array(0) })
    } else if (name === "position_ids") bindings[name] = maskPositions(g, ends["attention_mask"]!)
    else if (name === "use_cache_branch") {
      bindings[name] = g.constant({ type: "bool", dims: dims?.length === 0 ? [] : [1], data: Uint8Array.of(0) })
    } else if (name === "num_logits_to_keep") bindings[name] = g.constant(int64(dims?.length === 1 ? [1] : [], [0]))
    else bindings[name] = ends[name]!
  }
  return g.build({ logits: g.call(model, bindings)["logits"]! }, model.name)
}

/** Concatenations without the operands that have no elements, such as an empty past. */
const withoutEmpty = (graph: Graph): Graph => {
  const empty = new Set([...graph.initializers].flatMap(([name, { data }]) => (data.length === 0 ? [name] : [])))
  if (empty.size === 0) return graph
  const nodes = graph.nodes.map((node): Node => {
    if (node.op !== "Concat" || node.domain !== "") return node
    const inputs = node.inputs.filter((name) => !empty.has(name))
    if (inputs.length === node.inputs.length || inputs.length === 0) return node
    return inputs.length === 1 ? { ...node, op: "Identity", inputs, attributes: {} } : { ...node, inputs }
  })
  return deadCode({ ...graph, nodes })
}

/**
 * The graph with logits at the places of the input `logit_rows` alone. Where the logits are a product with a matrix, of
 * floats or in blocks, the rows are taken before it.
 */
const atRows = (graph: Graph, count: number): Graph => {
  const last = producers(graph).get("logits")
  const [x = "", w = ""] = last?.inputs ?? []
  const turned = producers(graph).get(w)?.op === "Transpose"
  const isMatrix = turned || graph.inputs.some((input) => input.name === w && input.dims?.length === 2)
  const product = (last?.op === "MatMul" && isMatrix) || last?.op === "MatMulNBits" ? last : undefined
  const source = product === undefined ? "logits" : x
  const inner = {
    ...graph,
    outputs: [
      graph.values.get(source) ?? graph.outputs.find(({ name }) => name === source)!,
      ...(product !== undefined && turned ? [describeValue(graph, w)] : []),
    ],
    nodes: graph.nodes.filter((node) => node !== product),
  }
  const g = new GraphBuilder()
  const { inputs, outputs } = g.callWithInputs(inner)
  const value = outputs[source]!
  const dims = value.dims?.map(Number) ?? []
  const width = dims.at(-1) ?? 0
  const at = g.reshape(g.input("logit_rows", "int64", [count]), [count, 1])
  const rows = g.op("GatherND", [g.reshape(value, [dims.slice(0, -1).reduce((a, b) => a * b, 1), width]), at])[0]!
  if (product === undefined) return g.build({ logits: rows }, graph.name)
  const operands = product.inputs.slice(1).map((name): Value | undefined => {
    const constant = graph.initializers.get(name)
    return outputs[name] ?? inputs[name] ?? (constant === undefined ? undefined : g.initializer(name, constant))
  })
  const { op, domain, attributes, name } = product
  return g.build({ logits: g.op(op, [rows, ...operands], { domain, attributes, name })[0]! }, graph.name)
}
