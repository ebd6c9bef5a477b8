import { type Dims, type Graph, GraphBuilder, int, type Tensor, type Value } from "@tandem/onnx"
import { InvalidLanguageModel } from "../Errors.ts"
import { rmsNormalization } from "../internal/Blocks.ts"
import { decoderStates, encoderStates, type Form, logitsOf, masked } from "../internal/Seq2SeqBlocks.ts"
import { bucketTable } from "./RelativePositions.ts"
import type { Seq2SeqConfig } from "./Seq2Seq.ts"
import { type Side, seq2seqNames, seq2seqParameters } from "./Seq2SeqParameters.ts"

/** What an inference graph is made of: weights and constants by Hugging Face name, and settings. */
export interface Seq2SeqInference {
  readonly config: Seq2SeqConfig
  readonly parameters: ReadonlyMap<string, Tensor>
  readonly buffers: ReadonlyMap<string, Tensor>
  /** Keeps hidden states within the range of 16-bit floats, as transformers does it for models of that type. */
  readonly bounded?: boolean
}

/**
 * The encoder for any batch and length with its weights inside, as transformers.js' `encoder_model.onnx` has it: inputs
 * `input_ids` and `attention_mask` `[batch_size, encoder_sequence_length]` int64, output `last_hidden_state`. Weights keep
 * Hugging Face's names and layout.
 */
export const seq2seqEncoderInferenceGraph = (model: Seq2SeqInference): Graph => {
  const { config } = model
  const g = new GraphBuilder()
  const dims = ["batch_size", "encoder_sequence_length"]
  const ids = g.input("input_ids", "int64", dims)
  const mask = g.input("attention_mask", "int64", dims)
  const ground = groundOf(g, model, ids, dims)
  const { linear, heads } = ground
  const zero = g.constant(whole(0))
  const length = dimension(g, ids, 1)
  const form: Form = {
    ...ground.form,
    addPositions: (side, x) => addAbsolute(ground, side, x, zero, length),
    selfBias: (side) => {
      const padding = paddingBias(g, mask)
      if (config.positions.kind === "absolute") return padding
      const places = range(g, zero, length)
      return g.add(relativeBias(ground, side, places, places), padding)
    },
    selfHeads: (side, x, names, [query, key, value]) => ({
      query: heads(side, linear(x, names.query, query)),
      key: heads(side, linear(x, names.key, key)),
      value: heads(side, linear(x, names.value, value)),
    }),
  }
  return g.build(
    { last_hidden_state: ground.unflat(encoderStates(form), [config.hiddenSize]) },
    `${config.family} encoder`,
  )
}

/**
 * The decoder for any batch and length with its weights inside, as transformers.js' `decoder_model_merged.onnx` has it:
 * inputs `input_ids` `[batch_size, decoder_sequence_length]`, `encoder_attention_mask` `[batch_size,
 * encoder_sequence_length]` (int64), `encoder_hidden_states`, and for each layer N `past_key_values.N.decoder.key` and
 * `.value` `[batch_size, heads, past_decoder_sequence_length, headSize]`, `past_key_values.N.encoder.key` and `.value`
 * `[batch_size, heads, past_encoder_sequence_length, headSize]`; outputs `logits`, `present.N.decoder.*`, the past of the
 * next step, and `present.N.encoder.*`.
 *
 * One graph serves the first step and those that follow, without a branch: keys and values of the encoder's states are
 * computed for the states beyond those that are in the past already, all of them at first and none later, and
 * `present.N.encoder.*` holds what was computed. So it is the past of all further steps after the first one, and empty
 * after these, where transformers.js keeps what it has. Weights stand in the file once, and every pass over graphs works.
 */
export const seq2seqDecoderInferenceGraph = (model: Seq2SeqInference): Graph => {
  const { config } = model
  const g = new GraphBuilder()
  const { headSize, hiddenSize } = config
  const { heads: count, layers } = config.decoder
  const dims = ["batch_size", "decoder_sequence_length"]
  const mask = g.input("encoder_attention_mask", "int64", ["batch_size", "encoder_sequence_length"])
  const ids = g.input("input_ids", "int64", dims)
  const states = g.input("encoder_hidden_states", "float32", ["batch_size", "encoder_sequence_length", hiddenSize])
  const past = new Map<string, Value>()
  for (let layer = 0; layer < layers; layer++) {
    for (const name of cacheNames(layer)) {
      const side = name.includes("decoder") ? "decoder" : "encoder"
      const shape = ["batch_size", count, `past_${side}_sequence_length`, headSize]
      past.set(name, g.input(`past_key_values.${name}`, "float32", shape))
    }
  }
  const ground = groundOf(g, model, ids, dims)
  const { linear, heads } = ground
  const before = dimension(g, past.get("0.decoder.key")!, 2)
  const total = g.add(before, dimension(g, ids, 1))
  const rest = beyond(g, states, dimension(g, past.get("0.encoder.key")!, 2))
  const presents: Record<string, Value> = {}
  const extended = (name: string, added: Value, length: string): Value => {
    const outputs = [{ type: "float32" as const, dims: ["batch_size", count, length, headSize] as Dims }]
    return g.op("Concat", [past.get(name), added], { attributes: { axis: int(2) }, outputs })[0]!
  }
  const form: Form = {
    ...ground.form,
    addPositions: (side, x) => addAbsolute(ground, side, x, before, total),
    selfBias: (side) => {
      const keys = range(g, g.constant(whole(0)), total)
      const queries = range(g, before, total)
      const visible = g.lessOrEqual(keys, g.unsqueeze(queries, [1]))
      const causal = g.where(visible, g.scalar(0), g.scalar(-masked))
      if (config.positions.kind === "absolute") return causal
      return g.add(relativeBias(ground, side, queries, keys), causal)
    },
    crossBias: () => paddingBias(g, mask),
    selfHeads: (side, x, names, factors, layer) => {
      const [key, value] = (["key", "value"] as const).map((part, index) => {
        const added = heads(side, linear(x, names[part], factors[index + 1]!))
        const all = extended(`${layer}.decoder.${part}`, added, "total_sequence_length")
        presents[`present.${layer}.decoder.${part}`] = all
        return all
      })
      return { query: heads(side, linear(x, names.query, factors[0])), key: key!, value: value! }
    },
    crossHeads: (x, rows, names, factors, layer) => {
      const [key, value] = (["key", "value"] as const).map((part, index) => {
        const added = rest.heads(linear(rows, names[part], factors[index + 1]!), count, headSize)
        presents[`present.${layer}.encoder.${part}`] = added
        return extended(`${layer}.encoder.${part}`, added, "encoder_sequence_length")
      })
      return { query: heads("decoder", linear(x, names.query, factors[0])), key: key!, value: value! }
    },
  }
  const hidden = decoderStates(form, rest.rows)
  const logits = ground.unflat(
    g.scope("vocabulary", () => logitsOf(form, hidden)),
    [config.vocabularySize],
  )
  return g.build({ logits, ...presents }, `${config.family} decoder`)
}

/** Names of one layer's keys and values, behind `past_key_values.` and `present.`. */
const cacheNames = (layer: number): readonly string[] =>
  ["decoder", "encoder"].flatMap((side) => ["key", "value"].map((part) => `${layer}.${side}.${part}`))

/** The encoder's states that are not in the past yet, of which there may be none. */
const beyond = (g: GraphBuilder, states: Value, known: Value) => {
  const width = Number(states.dims?.[2])
  const dims: Dims = ["batch_size", "new_encoder_sequence_length"]
  const end = g.indices([Number.MAX_SAFE_INTEGER])
  const rest = g.op("Slice", [states, g.unsqueeze(known, [0]), end, g.indices([1])], {
    outputs: [{ type: "float32", dims: [...dims, width] }],
  })[0]!
  const shape = g.slice(g.op("Shape", [rest])[0]!, 0, 0, 2)
  return {
    rows: g.reshape(rest, [-1, width]),
    /** Rows `[batch · length, heads · headSize]` as `[batch, heads, length, headSize]`, also where the length is 0. */
    heads: (x: Value, count: number, headSize: number): Value => {
      const outputs = [{ type: "float32" as const, dims: [...dims, count, headSize] }]
      const target = g.concat([shape, g.indices([count, headSize])], 0)
      const placed = g.op("Reshape", [x, target], { attributes: { allowzero: int(1) }, outputs })[0]!
      return g.transpose(placed, [0, 2, 1, 3])
    },
  }
}

const whole = (value: number): Tensor => ({ type: "int64", dims: [], data: BigInt64Array.of(BigInt(value)) })

const range = (g: GraphBuilder, from: Value, to: Value): Value => g.op("Range", [from, to, g.constant(whole(1))])[0]!

/** The length of an axis, as a rank-0 value. */
const dimension = (g: GraphBuilder, x: Value, axis: number): Value =>
  g.gather(g.op("Shape", [x])[0]!, g.constant(whole(axis)))

/** `[batch, 1, 1, length]`: what hides padding. */
const paddingBias = (g: GraphBuilder, mask: Value): Value =>
  g.mul(g.sub(g.unsqueeze(g.cast(mask, "float32"), [1, 2]), g.scalar(1)), g.scalar(masked))

type Ground = ReturnType<typeof groundOf>

/** What both graphs stand on: weights as initializers, work on rows `[batch · length, width]`. */
const groundOf = (g: GraphBuilder, model: Seq2SeqInference, ids: Value, names: Dims) => {
  const { config, parameters, buffers, bounded = false } = model
  const known = new Set(seq2seqParameters(config).map(({ name }) => name))
  const made = new Map<string, Value>()
  const weight = (name: string): Value | undefined => {
    const value = made.get(name)
    if (value !== undefined) return value
    const buffer = buffers.get(name)
    const counts = buffer?.data.some((element) => Number(element) !== 0) === true
    const tensor = parameters.get(name) ?? (counts ? buffer : undefined)
    if (tensor === undefined && known.has(name)) {
      throw new InvalidLanguageModel({ message: `the weights lack ${name}`, tensor: name })
    }
    if (tensor === undefined) return undefined
    const stored = g.initializer(name, tensor)
    made.set(name, stored)
    return stored
  }
  const shape = g.op("Shape", [ids])[0]!
  const unflat = (x: Value, dims: readonly number[]): Value => {
    const outputs = [{ type: "float32" as const, dims: [...names, ...dims] }]
    return g.op("Reshape", [x, g.concat([shape, g.indices(dims)], 0)], { outputs })[0]!
  }
  const largest = g.scalar(largestHalf)
  const form: Omit<Form, "addPositions" | "selfBias" | "selfHeads"> = {
    g,
    config,
    weight,
    rms: rmsNormalization,
    dropout: { hidden: 0, attention: 0, activation: 0 },
    drop: (x) => x,
    embed: (_, table) => g.gather(table, g.reshape(ids, [-1])),
    bound: (x) => (bounded ? g.op("Clip", [x, g.neg(largest), largest])[0]! : x),
    crossBias: encoderAlone,
    crossHeads: encoderAlone,
    merge: (side, context) => g.reshape(context, [-1, config[side].heads * config.headSize]),
    finish: (x) => x,
  }
  return {
    g,
    config,
    weight,
    unflat,
    form,
    /** `factor · (x · Wᵀ + b)` */
    linear: (x: Value, name: string, factor: number): Value => {
      const bias = weight(`${name}.bias`)
      return g.gemm(x, weight(`${name}.weight`)!, {
        transB: true,
        alpha: factor,
        ...(bias === undefined ? {} : { c: bias, beta: factor }),
      })
    },
    /** Rows as `[batch, heads, length, headSize]`. */
    heads: (side: Side, x: Value): Value => g.transpose(unflat(x, [config[side].heads, config.headSize]), [0, 2, 1, 3]),
  }
}

const encoderAlone = (): never => {
  throw new InvalidLanguageModel({ message: "an encoder attends to nothing but itself" })
}

/** What transformers keeps hidden states of 16 bits below, where they would be infinite. */
const largestHalf = 65504 - 1000

/** Adds the embeddings of the positions from `from` to `to`, where the model has such. */
const addAbsolute = ({ g, config, weight, unflat }: Ground, side: Side, x: Value, from: Value, to: Value): Value => {
  if (config.positions.kind === "relative") return x
  const offset = g.constant(whole(config.positions.offset))
  const own = g.gather(weight(seq2seqNames(config).positions(side))!, range(g, g.add(from, offset), g.add(to, offset)))
  return g.reshape(g.add(unflat(x, [config.hiddenSize]), own), [-1, config.hiddenSize])
}

/** `[1, heads, queries, keys]`: the learned number of each distance's bucket. */
const relativeBias = ({ g, config, weight }: Ground, side: Side, queries: Value, keys: Value): Value => {
  const { positions } = config
  if (positions.kind !== "relative") throw new InvalidLanguageModel({ message: "positions are not relative" })
  const { table, reach } = bucketTable({ ...positions, bidirectional: side === "encoder" })
  const distance = g.sub(keys, g.unsqueeze(queries, [1]))
  const limit = g.constant(whole(reach))
  const near = g.op("Min", [g.max(distance, g.constant(whole(-reach))), limit])[0]!
  const buckets = g.gather(g.constant(table), g.add(near, limit))
  const byPair = g.gather(weight(seq2seqNames(config).positions(side))!, buckets)
  return g.unsqueeze(g.transpose(byPair, [2, 0, 1]), [0])
}
