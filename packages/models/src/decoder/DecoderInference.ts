import { type Dims, type Graph, GraphBuilder, type Tensor, type Value } from "@tandem/onnx"
import { InvalidLanguageModel } from "../Errors.ts"
import { capped, decode, type Form, masked } from "../internal/DecoderBlocks.ts"
import type { DecoderConfig } from "./Decoder.ts"
import { decoderParameters } from "./DecoderParameters.ts"

/**
 * The decoder for any batch and length with its weights inside, in the layout that transformers.js and optimum use:
 * `input_ids` and `position_ids` `[batch, length]`, `attention_mask` `[batch, past + length]` (all int64), and for each
 * layer N `past_key_values.N.key` and `.value` `[batch, keyValueHeads, past, headSize]`; outputs `logits`
 * `[batch, length, vocabulary]`, `present.N.key` and `present.N.value`, which are the past of the next step. Weights keep
 * Hugging Face's names and layout.
 */
export const decoderInferenceGraph = (config: DecoderConfig, parameters: ReadonlyMap<string, Tensor>): Graph => {
  const g = new GraphBuilder()
  const [ids, mask, positions] = [
    g.input("input_ids", "int64", ["batch_size", "sequence_length"]),
    g.input("attention_mask", "int64", ["batch_size", "total_sequence_length"]),
    g.input("position_ids", "int64", ["batch_size", "sequence_length"]),
  ]
  const { heads, keyValueHeads, headSize } = config
  const past = config.layers.map((_, layer) =>
    ["key", "value"].map((kind) =>
      g.input(`past_key_values.${layer}.${kind}`, "float32", [
        "batch_size",
        keyValueHeads,
        "past_sequence_length",
        headSize,
      ]),
    ),
  )
  const weights = new Map(
    decoderParameters(config).map(({ name }) => {
      const value = parameters.get(name)
      if (value === undefined) throw new InvalidLanguageModel({ message: `the weights lack ${name}`, tensor: name })
      return [name, g.initializer(name, value)]
    }),
  )
  const shape = g.op("Shape", [ids!])[0]!
  /** `[batch · length, count · size]` as `[batch, length, count, size]` */
  const unflat = (x: Value, dims: readonly number[]): Value => {
    const outputs = [{ type: "float32" as const, dims: ["batch_size", "sequence_length", ...dims] }]
    return g.op("Reshape", [x, g.concat([shape, g.indices(dims)], 0)], { outputs })[0]!
  }
  const toHeads = (x: Value, count: number): Value => g.transpose(unflat(x, [count, headSize]), [0, 2, 1, 3])
  const presents: Record<string, Value> = {}
  const total = g.gather(g.op("Shape", [mask!])[0]!, g.constant(whole(1)))
  const length = g.gather(shape, g.constant(whole(1)))
  const range = (from: Value, to: Value): Value => g.op("Range", [from, to, g.constant(whole(1))])[0]!
  const columns = range(g.constant(whole(0)), total)
  const own = g.unsqueeze(range(g.sub(total, length), total), [1])
  const real = g.unsqueeze(g.cast(mask!, "bool"), [1, 2])
  const visible = (window: number | undefined): Value => {
    const before = g.lessOrEqual(columns, own)
    if (window === undefined) return before
    return g.op("And", [before, g.greater(columns, g.sub(own, g.constant(whole(window))))])[0]!
  }
  const form: Form = {
    g,
    weight: (name) => weights.get(name),
    ids: g.reshape(ids!, [-1]),
    positions: g.reshape(positions!, [-1]),
    allPositions: positions!,
    training: false,
    heads: (x, count) => g.reshape(x, [-1, count, headSize]),
    attend: ({ query, key, value }, { layer, index }) => {
      const [k, v] = [key, value].map((x, part) => {
        const outputs = [
          {
            type: "float32" as const,
            dims: ["batch_size", keyValueHeads, "total_sequence_length", headSize] as Dims,
          },
        ]
        const all = g.op("Concat", [past[index]![part], toHeads(x, keyValueHeads)], {
          attributes: { axis: { kind: "int", value: 2 } },
          outputs,
        })[0]!
        presents[`present.${index}.${part === 0 ? "key" : "value"}`] = all
        return all
      })
      const q = g.reshape(toHeads(query, heads), [0, keyValueHeads, -1, headSize])
      const products = capped(g, g.matmul(q, g.transpose(k!, [0, 1, 3, 2])), config.scoreCap)
      const scores = g.reshape(products, [0, heads, -1, 0])
      const allowed = g.op("And", [visible(layer.window), real])[0]!
      const probabilities = g.softmax(g.where(allowed, scores, g.scalar(-masked)), -1)
      const context = g.matmul(g.reshape(probabilities, [0, keyValueHeads, -1, 0]), v!)
      const merged = g.transpose(g.reshape(context, [0, heads, -1, headSize]), [0, 2, 1, 3])
      return g.reshape(merged, [-1, heads * headSize])
    },
    finish: (x) => x,
    drop: (x) => x,
    dropout: { hidden: 0, attention: 0 },
  }
  const { logits } = decode(config, form)
  return g.build({ logits: unflat(logits, [config.vocabularySize]), ...presents }, config.family)
}

const whole = (value: number): Tensor => ({ type: "int64", dims: [], data: BigInt64Array.of(BigInt(value)) })
