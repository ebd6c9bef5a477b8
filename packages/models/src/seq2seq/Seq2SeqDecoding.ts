import { type Graph, GraphBuilder, int64, type Tensor, type Value } from "@tandem/onnx"
import type { CacheShape } from "../decoder/Decoding.ts"
import { withParameterInputs } from "../encoder/OnnxEncoder.ts"
import { fusedRmsNormalization } from "../internal/Blocks.ts"
import { decodingInputs } from "../internal/DecodingInputs.ts"
import { decoderStates, type Form, logitsOf, masked } from "../internal/Seq2SeqBlocks.ts"
import { bucketTable } from "./RelativePositions.ts"
import type { Seq2SeqConfig } from "./Seq2Seq.ts"
import { type Seq2SeqInference, seq2seqEncoderInferenceGraph } from "./Seq2SeqInference.ts"
import { seq2seqBlockNames, seq2seqNames, seq2seqParameters } from "./Seq2SeqParameters.ts"

/** What each layer keeps of a token. */
export const seq2seqCaches = ({ decoder: { layers, heads }, headSize }: Seq2SeqConfig): readonly CacheShape[] =>
  Array.from({ length: layers }, () => ({ heads, headSize }))

/** The decoder's graph for writing text, as `Decoding` describes it; its prefix is what it attends to of the encoder. */
export const seq2seqDecodingGraph = (config: Seq2SeqConfig, buffers: ReadonlyMap<string, Tensor>): Graph => {
  const { headSize } = config
  const { heads: count } = config.decoder
  const g = new GraphBuilder()
  const inputs = decodingInputs(g, seq2seqCaches(config))
  const { ids, positions, tokensAt, places, cachePlaces, cachePositions, prefixPositions, wanted, past, prefix } =
    inputs
  const weight = weightsIn(g, config, buffers)
  const presents: Record<string, Value> = {}
  const linear = (x: Value, name: string, factor: number): Value => product(g, weight, x, name, factor)
  /** Rows of tokens as `[rows, heads, width, headSize]`. */
  const heads = (x: Value): Value =>
    g.transpose(g.reshape(g.gather(x, tokensAt), [0, 0, count, headSize]), [0, 2, 1, 3])
  const shape = (of: Value): Value => g.op("Shape", [of])[0]!
  /** Those of all rows of a prefix side by side: `[prefixes, heads, rows of each · width, headSize]`. */
  const together = (x: Value): Value => {
    const sizes = g.concat([g.slice(shape(prefixPositions), 0, 0, 1), g.indices([-1, count, headSize])], 0)
    const outputs = [{ type: "float32" as const, dims: ["prefixes", "all", count, headSize] }]
    return g.transpose(g.op("Reshape", [g.gather(x, tokensAt), sizes], { outputs })[0]!, [0, 2, 1, 3])
  }
  const own = g.unsqueeze(g.gather(positions, tokensAt), [2])
  const columns = g.unsqueeze(cachePositions, [1])
  const form: Form = {
    g,
    config,
    weight,
    rms: fusedRmsNormalization,
    dropout: { hidden: 0, attention: 0, activation: 0 },
    drop: (x) => x,
    embed: (_, table) => g.gather(table, ids),
    addPositions: (side, x) => {
      if (config.positions.kind === "relative") return x
      const at = g.add(positions, g.constant(whole(config.positions.offset)))
      return g.add(x, g.gather(weight(seq2seqNames(config).positions(side))!, at))
    },
    selfBias: (side) => {
      const real = g.greaterOrEqual(columns, g.constant(whole(0)))
      const visible = g.op("And", [real, g.lessOrEqual(columns, own)])[0]!
      const hides = g.unsqueeze(g.where(visible, g.scalar(0), g.scalar(-masked)), [1])
      if (config.positions.kind === "absolute") return hides
      const { table, reach } = bucketTable({ ...config.positions, bidirectional: false })
      const limit = g.constant(whole(reach))
      const near = g.op("Min", [g.max(g.sub(columns, own), g.constant(whole(-reach))), limit])[0]!
      const buckets = g.gather(g.constant(table), g.add(near, limit))
      const byPair = g.gather(weight(seq2seqNames(config).positions(side))!, buckets)
      return g.add(g.transpose(byPair, [0, 3, 1, 2]), hides)
    },
    crossBias: () => {
      const hides = g.where(g.less(prefixPositions, g.constant(whole(0))), g.scalar(-masked), g.scalar(0))
      return g.unsqueeze(hides, [1, 2])
    },
    selfHeads: (_, x, names, factors, layer) => {
      const [key, value] = (["key", "value"] as const).map((part, index) => {
        const added = heads(linear(x, names[part], factors[index + 1]!))
        const all = g.op("ScatterND", [past[layer]![index]!, cachePlaces, added])[0]!
        presents[`present.${layer}.${part}`] = all
        return all
      })
      return { query: heads(linear(x, names.query, factors[0])), key: key!, value: value! }
    },
    crossHeads: (x, _, names, factors, layer) => {
      const [key, value] = prefix[layer]!
      return { query: together(linear(x, names.query, factors[0])), key: key!, value: value! }
    },
    merge: (_, context) => g.gather(g.reshape(context, [-1, count * headSize]), places),
    finish: (x) => g.gather(x, wanted),
  }
  const hidden = decoderStates(form, ids)
  const logits = g.scope("vocabulary", () => logitsOf(form, hidden))
  return g.build({ logits, ...presents }, `${config.family} decoder`)
}

/**
 * What the decoder's prefix is made by: inputs `input_ids` and `attention_mask` `[prefixes, prefix] int64`, outputs
 * `prefix.N.key` and `prefix.N.value`, and the weights as inputs.
 */
export const seq2seqPrefixGraph = (model: Seq2SeqInference): Graph => {
  const { config, buffers } = model
  const { heads: count, layers } = config.decoder
  const g = new GraphBuilder()
  const encoder = withParameterInputs(seq2seqEncoderInferenceGraph(model), model.parameters)
  const read = new Set(encoder.nodes.flatMap(({ inputs }) => inputs))
  const { inputs, outputs } = g.callWithInputs({
    ...encoder,
    inputs: encoder.inputs.filter(({ name }) => read.has(name)),
  })
  const others = weightsIn(g, config, buffers)
  const weight = (name: string): Value | undefined => inputs[name] ?? others(name)
  const states = g.reshape(outputs["last_hidden_state"]!, [-1, config.hiddenSize])
  const shape = g.op("Shape", [inputs["input_ids"]!])[0]!
  const heads = (x: Value): Value => {
    const placed = g.op("Reshape", [x, g.concat([shape, g.indices([count, config.headSize])], 0)], {
      outputs: [{ type: "float32", dims: ["prefixes", "prefix", count, config.headSize] }],
    })[0]!
    return g.transpose(placed, [0, 2, 1, 3])
  }
  const made = Array.from({ length: layers }, (_, layer) => {
    const { cross } = seq2seqBlockNames(config, "decoder", layer)
    return (["key", "value"] as const).map(
      (part) => [`prefix.${layer}.${part}`, heads(product(g, weight, states, cross![part], 1))] as const,
    )
  })
  return g.build(Object.fromEntries(made.flat()), `${config.family} encoder`)
}

/** `factor · (x · Wᵀ + b)` */
const product = (
  g: GraphBuilder,
  weight: (name: string) => Value | undefined,
  x: Value,
  name: string,
  factor: number,
): Value => {
  const bias = weight(`${name}.bias`)
  return g.gemm(x, weight(`${name}.weight`)!, {
    transB: true,
    alpha: factor,
    ...(bias === undefined ? {} : { c: bias, beta: factor }),
  })
}

/** Parameters as inputs, each declared when it is first asked for, and buffers as constants; undefined for other names. */
const weightsIn = (g: GraphBuilder, config: Seq2SeqConfig, buffers: ReadonlyMap<string, Tensor>) => {
  const dims = new Map(seq2seqParameters(config).map((parameter) => [parameter.name, parameter.dims]))
  const made = new Map<string, Value>()
  return (name: string): Value | undefined => {
    const known = made.get(name)
    if (known !== undefined) return known
    const buffer = buffers.get(name)
    const counts = buffer?.data.some((element) => Number(element) !== 0) === true
    const sizes = dims.get(name)
    const stored = counts && buffer !== undefined ? g.initializer(name, buffer) : undefined
    const value = stored ?? (sizes === undefined ? undefined : g.input(name, "float32", sizes))
    if (value !== undefined) made.set(name, value)
    return value
  }
}

const whole = (value: number): Tensor => int64([], [value])
