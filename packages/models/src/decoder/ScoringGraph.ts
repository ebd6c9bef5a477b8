import { type Graph, GraphBuilder, type Tensor, type Value } from "@tandem/onnx"
import { capped, decode, type Heads, masked } from "../internal/DecoderBlocks.ts"
import { tokenForm } from "../internal/TokenForm.ts"
import type { DecoderConfig, DecoderLayer } from "./Decoder.ts"

/** The decoder's graph for scoring texts, as `Decoding.scoring` describes it. */
export const scoringGraph = (config: DecoderConfig): Graph => {
  const { heads, keyValueHeads, headSize, layers } = config
  const g = new GraphBuilder()
  const whole = (name: string, dims: readonly string[]): Value => g.input(name, "int64", dims)
  const ids = whole("input_ids", ["tokens"])
  const positions = whole("position_ids", ["tokens"])
  const tokensAt = whole("tokens_at", ["rows", "width"])
  const places = whole("places", ["tokens"])
  const placePositions = whole("place_positions", ["rows", "width"])
  const prefixPositions = whole("prefix_positions", ["prefixes", "prefix"])
  const prefixOf = whole("prefix_of", ["rows"])
  const wanted = whole("logit_tokens", ["wanted"])
  const prefix = layers.map((_, layer) =>
    (["key", "value"] as const).map((part) =>
      g.input(`prefix.${layer}.${part}`, "float32", ["prefixes", keyValueHeads, "prefix", headSize]),
    ),
  )
  const presents: Record<string, Value> = {}

  const row = g.unsqueeze(g.gather(positions, tokensAt), [1, 3])
  const columns = g.unsqueeze(g.concat([g.gather(prefixPositions, prefixOf), placePositions], 1), [1, 2])
  /** `[rows, 1, width, prefix + width]`: 0 where the token of a place sees that of a column. One for all layers alike. */
  const hidden = ({ window }: DecoderLayer): Value => {
    const and = (a: Value, b: Value): Value => g.op("And", [a, b])[0]!
    const before = and(g.greaterOrEqual(columns, g.constant(scalar(0))), g.lessOrEqual(columns, row))
    const seen = window === undefined ? before : and(before, g.greater(columns, g.sub(row, g.constant(scalar(window)))))
    return g.where(seen, g.scalar(0), g.scalar(-masked))
  }
  const attend = ({ query, key, value }: Heads, { layer, index }: { layer: DecoderLayer; index: number }): Value => {
    const spread = (x: Value, count: number): Value => g.gather(g.reshape(x, [-1, count * headSize]), tokensAt)
    const [keys, values] = [key, value].map((x, part) => {
      const own = g.transpose(g.reshape(spread(x, keyValueHeads), [0, 0, keyValueHeads, headSize]), [0, 2, 1, 3])
      presents[`present.${index}.${part === 0 ? "key" : "value"}`] = own
      return g.concat([g.gather(prefix[index]![part]!, prefixOf), own], 2)
    })
    const grouped = g.reshape(spread(query, heads), [0, 0, keyValueHeads, heads / keyValueHeads, headSize])
    const q = g.reshape(g.transpose(grouped, [0, 2, 3, 1, 4]), [0, 0, -1, headSize])
    const products = capped(g, g.matmul(q, g.transpose(keys!, [0, 1, 3, 2])), config.scoreCap)
    const probabilities = g.softmax(g.add(g.reshape(products, [0, heads, -1, 0]), hidden(layer)), -1)
    const context = g.matmul(g.reshape(probabilities, [0, keyValueHeads, -1, 0]), values!)
    const merged = g.transpose(g.reshape(context, [0, heads, -1, headSize]), [0, 2, 1, 3])
    return g.reshape(merged, [-1, heads * headSize])
  }
  const { logits } = decode(config, tokenForm(g, config, { ids, positions, places, wanted }, attend))
  return g.build({ logits, ...presents }, config.family)
}

const scalar = (value: number): Tensor => ({ type: "int64", dims: [], data: BigInt64Array.of(BigInt(value)) })
