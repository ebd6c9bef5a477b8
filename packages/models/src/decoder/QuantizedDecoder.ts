import {
  type BlockOptions,
  type BlockWeight,
  blockTensors,
  consumers,
  fromBlocks,
  type Graph,
  productWeights,
  type Tensor,
  toBlocks,
  withBlocks,
} from "@tandem/onnx"
import { Effect } from "effect"
import { InvalidLanguageModel } from "../Errors.ts"
import { tieWeights } from "../exported/TiedWeights.ts"
import { attempt } from "../internal/Attempt.ts"
import type { Decoder } from "./Decoder.ts"
import { decoderInferenceGraph } from "./DecoderInference.ts"

/** What `quantizeWeights` takes besides the decoder. */
export interface QuantizeWeightsOptions extends BlockOptions {
  /** Whether a weight of that name stays as it is; none does where absent. */
  readonly keep?: (name: string) => boolean
}

/**
 * The decoder with the weights of its products in 4 or 8 bits, frozen: they leave `parameters`, and its graphs read them
 * from `frozen`, at an eighth or a quarter of the memory (4 bits in blocks of 32: 5 bits in place of 32). What trains over
 * them is low-rank adapters (`addLora`, `withAdapters`), or what is left of the parameters: norms, biases, embeddings.
 *
 * Gradients are those over the `float32` weights that the blocks stand for (`dequantizeWeights`); a weight is made
 * `float32` for one product at a time. Tables that are looked up stay as they are, and so does an output layer that is
 * the embeddings: a copy of it in blocks would be memory more. `decoding` has the blocks as constants, which ONNX
 * Runtime packs. How far weights move: `toBlocks`.
 *
 * The decoder that was given keeps its weights, as does the file's graph behind a decoder from an ONNX model.
 *
 * @throws InvalidTensor where a weight is not finite or the block size is none that there is
 * @throws InvalidLanguageModel where the decoder's weights are quantised already
 *
 * @see Dettmers et al., QLoRA: Efficient Finetuning of Quantized LLMs, 2023; its numbers are NF4, these are evenly spaced,
 * as ONNX Runtime's and transformers.js' files of 4 bits hold them
 *
 * @example
 * ```ts
 * import { quantizeWeights, tinyDecoder, trainWordPiece } from "@tandem/models"
 *
 * const vocabulary = trainWordPiece(["the river was long", "the long river"], { vocabularySize: 60 })
 * const decoder = quantizeWeights(tinyDecoder({ seed: 0, vocabulary, layers: 1 }), { bits: 4 })
 * console.log([...decoder.frozen.keys()].slice(0, 2).join())
 * // model.layers.0.self_attn.q_proj.weight_Q4,model.layers.0.self_attn.q_proj.weight_scales
 * console.log(decoder.parameters.has("model.layers.0.self_attn.q_proj.weight")) // false
 * ```
 */
export const quantizeWeights = (decoder: Decoder, options: QuantizeWeightsOptions = {}): Decoder => {
  const { keep = () => false, ...settings } = options
  if (decoder.frozen.size > 0) {
    throw new InvalidLanguageModel({
      message: "the decoder's weights are quantised already",
      expected: "weights of floats",
      found: `${decoder.frozen.size} tensors of few bits`,
    })
  }
  const blocks = new Map<string, BlockWeight>()
  for (const [name, outputFirst] of onlyProducts(wholeGraph(decoder))) {
    const weight = decoder.parameters.get(name)
    if (weight !== undefined && !keep(name)) blocks.set(name, toBlocks(weight, { ...settings, outputFirst, name }))
  }
  const { graph, decoding } = decoder
  return {
    ...decoder,
    parameters: new Map([...decoder.parameters].filter(([name]) => !blocks.has(name))),
    frozen: new Map([...blocks].flatMap(([name, weight]) => [...blockTensors(name, weight)])),
    quantized: { blocks, names: [...decoder.parameters.keys()], plain: { graph, decoding } },
    graph: (shape) =>
      Effect.flatMap(graph(shape), (built) =>
        attempt(() => ({ ...built, graph: quantizedGraph(built.graph, blocks, "inputs") })),
      ),
    decoding: Effect.flatMap(decoding, (built) =>
      attempt(() => ({
        ...built,
        graph: quantizedGraph(built.graph, blocks, "constants"),
        scoring: built.scoring && quantizedGraph(built.scoring, blocks, "constants"),
      })),
    ),
  }
}

/**
 * The decoder with `float32` weights in place of those that `quantizeWeights` put into blocks: what they stand for. Where
 * `tensors` has codes, scales or zero points under their names in `frozen`, as merged adapters leave them, those count.
 * A decoder of floats is given back.
 *
 * @throws InvalidLanguageModel where the model's file has no other weights than quantised ones
 */
export const dequantizeWeights = (decoder: Decoder, tensors: ReadonlyMap<string, Tensor> = new Map()): Decoder => {
  const { quantized, frozen, parameters } = decoder
  if (quantized === undefined) {
    if (frozen.size === 0) return decoder
    throw new InvalidLanguageModel({
      message: "the model's file has quantised weights alone",
      ...(decoder.source.kind === "onnx" ? { file: decoder.source.modelFile } : {}),
      hint: "take the full-precision export, onnx/model.onnx, or the model's safetensors",
    })
  }
  const { blocks, names, plain } = quantized
  const whole = names.map((name) => {
    const weight = blocks.get(name)
    return [name, weight === undefined ? parameters.get(name)! : fromBlocks(replaced(name, weight, tensors))] as const
  })
  return { ...decoder, ...plain, parameters: new Map(whole), frozen: new Map(), quantized: undefined }
}

const replaced = (name: string, weight: BlockWeight, tensors: ReadonlyMap<string, Tensor>): BlockWeight => {
  const [codes, scales, zeroPoints] = [...blockTensors(name, weight)].map(([key, value]) => tensors.get(key) ?? value)
  return {
    ...weight,
    codes: codes!,
    scales: scales!,
    ...(zeroPoints === undefined ? {} : { zeroPoints }),
  }
}

/** The model with all its weights, as it is run. */
const wholeGraph = ({ config, parameters, source }: Decoder): Graph => {
  if (source.kind === "onnx") return tieWeights(source.graph, source.tied)
  if (config !== undefined) return decoderInferenceGraph(config, parameters)
  throw new InvalidLanguageModel({ message: "the decoder has no config to build its graph of" })
}

/** The weights that nothing but products read, with whether they are stored as `[outputs, inputs]`. */
const onlyProducts = (graph: Graph): ReadonlyMap<string, boolean> => {
  const readers = consumers(graph)
  const isProduct = (name: string): boolean =>
    (readers.get(name) ?? []).every(({ op, domain, inputs, outputs }) => {
      if (domain !== "") return false
      if (op === "Transpose") return isProduct(outputs[0] ?? "")
      return (op === "MatMul" || op === "Gemm") && inputs[1] === name && inputs[0] !== name && inputs[2] !== name
    })
  return new Map([...productWeights(graph)].filter(([name]) => isProduct(name)))
}

const quantizedGraph = (
  graph: Graph,
  blocks: ReadonlyMap<string, BlockWeight>,
  kind: "inputs" | "constants",
): Graph => {
  const result = withBlocks(graph, blocks, kind)
  const left = result.inputs.find(({ name }) => blocks.has(name))
  if (left === undefined) return result
  throw new InvalidLanguageModel({
    message: `${left.name} cannot be quantised: not only products read it`,
    tensor: left.name,
    hint: "leave it as it is with `keep`",
  })
}
