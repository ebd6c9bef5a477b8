import { type Graph, GraphBuilder, type Tensor, type Value } from "@tandem/onnx"
import { capped, decode, type Heads, masked } from "../internal/DecoderBlocks.ts"
import { decodingInputs } from "../internal/DecodingInputs.ts"
import { tokenForm } from "../internal/TokenForm.ts"
import type { DecoderConfig, DecoderLayer } from "./Decoder.ts"
import type { CacheShape } from "./Decoding.ts"

/** What each layer keeps of a token. */
export const decodingCaches = ({ layers, keyValueHeads, headSize }: DecoderConfig): readonly CacheShape[] =>
  layers.map(() => ({ heads: keyValueHeads, headSize }))

/** The decoder's graph for writing text, as `Decoding` describes it. */
export const decodingGraph = (config: DecoderConfig): Graph => {
  const { heads, keyValueHeads, headSize } = config
  const g = new GraphBuilder()
  const inputs = decodingInputs(g, decodingCaches(config))
  const { ids, positions, tokensAt, places, cachePlaces, cachePositions, prefixPositions, wanted } = inputs
  const presents: Record<string, Value> = {}
  const size = (of: Value, axis: number): Value => g.slice(g.op("Shape", [of])[0]!, 0, axis, axis + 1)
  const shaped = (x: Value, dims: readonly (number | Value)[], known: Value["dims"]): Value => {
    const sizes = dims.map((dim) => (typeof dim === "number" ? g.indices([dim]) : dim))
    return g.op("Reshape", [x, g.concat(sizes, 0)], { outputs: [{ type: "float32", dims: known }] })[0]!
  }
  const row = g.unsqueeze(g.gather(positions, tokensAt), [1, 3])
  /** `[…, 1, width or 1, length]`: whether the token of a place sees that of a column. */
  const visible = (columns: Value, { window }: DecoderLayer): Value => {
    const real = g.greaterOrEqual(columns, g.constant(whole(0)))
    const before = g.op("And", [real, g.lessOrEqual(columns, row)])[0]!
    if (window === undefined) return before
    return g.op("And", [before, g.greater(columns, g.sub(row, g.constant(whole(window))))])[0]!
  }
  const hidden = g.scalar(-masked)
  const prefixes = size(prefixPositions, 0)
  /** Positions of its prefix for each row, `[rows, 1, 1, prefix]`. */
  const ofPrefix = (() => {
    const length = size(prefixPositions, 1)
    const each = g.op("Div", [size(tokensAt, 0), prefixes])[0]!
    const spread = g.op("Expand", [g.unsqueeze(prefixPositions, [1]), g.concat([prefixes, each, length], 0)])[0]!
    return g.op("Reshape", [spread, g.concat([g.indices([-1, 1, 1]), length], 0)], {
      outputs: [{ type: "int64", dims: ["rows", 1, 1, "prefix"] }],
    })[0]!
  })()
  const attend = ({ query, key, value }: Heads, { layer, index }: { layer: DecoderLayer; index: number }): Value => {
    const spread = (x: Value, count: number): Value => g.gather(g.reshape(x, [-1, count * headSize]), tokensAt)
    const written = [key, value].map((x, part) => {
      const turned = g.transpose(g.reshape(spread(x, keyValueHeads), [0, 0, keyValueHeads, headSize]), [0, 2, 1, 3])
      const present = g.op("ScatterND", [inputs.past[index]![part]!, cachePlaces, turned])[0]!
      presents[`present.${index}.${part === 0 ? "key" : "value"}`] = present
      return present
    })
    const [ownKey, ownValue] = written
    const [prefixKey, prefixValue] = inputs.prefix[index]!
    const grouped = g.reshape(spread(query, heads), [0, 0, keyValueHeads, heads / keyValueHeads, headSize])
    const q = g.reshape(g.transpose(grouped, [0, 2, 3, 1, 4]), [0, 0, -1, headSize])
    const queries = size(q, 2)
    const scores = (products: Value, columns: Value): Value => {
      const ofHeads = g.reshape(capped(g, products, config.scoreCap), [0, heads, -1, 0])
      return g.where(visible(columns, layer), ofHeads, hidden)
    }
    /** `[rows, heads, queries, n]` as `[prefixes, heads, rows of each · queries, n]`, and back. */
    const together = (x: Value, last: number | Value): Value => {
      const apart = shaped(
        x,
        [prefixes, -1, keyValueHeads, queries, last],
        ["prefixes", "each", keyValueHeads, "queries", "n"],
      )
      return shaped(
        g.transpose(apart, [0, 2, 1, 3, 4]),
        [prefixes, keyValueHeads, -1, last],
        ["prefixes", keyValueHeads, "all", "n"],
      )
    }
    const apart = (x: Value, last: number | Value): Value => {
      const each = shaped(
        x,
        [prefixes, keyValueHeads, -1, queries, last],
        ["prefixes", keyValueHeads, "each", "queries", "n"],
      )
      return shaped(
        g.transpose(each, [0, 2, 1, 3, 4]),
        [-1, keyValueHeads, queries, last],
        ["rows", keyValueHeads, "queries", "n"],
      )
    }
    const before = size(prefixKey!, 2)
    const toPrefix = apart(g.matmul(together(q, headSize), g.transpose(prefixKey!, [0, 1, 3, 2])), before)
    const toOwn = g.matmul(q, g.transpose(ownKey!, [0, 1, 3, 2]))
    const all = g.concat([scores(toPrefix, ofPrefix), scores(toOwn, g.unsqueeze(cachePositions, [1, 2]))], 3)
    const probabilities = g.reshape(g.softmax(all, -1), [0, keyValueHeads, -1, 0])
    const sizes = g.concat([before, size(ownKey!, 2)], 0)
    const [onPrefix, onOwn] = g.op("Split", [probabilities, sizes], {
      attributes: { axis: { kind: "int", value: 3 } },
      outputs: 2,
    })
    const context = g.add(
      apart(g.matmul(together(onPrefix!, before), prefixValue!), headSize),
      g.matmul(onOwn!, ownValue!),
    )
    const merged = g.transpose(g.reshape(context, [0, heads, -1, headSize]), [0, 2, 1, 3])
    return g.reshape(merged, [-1, heads * headSize])
  }
  const { logits } = decode(config, tokenForm(g, config, { ids, positions, places, wanted }, attend))
  return g.build({ logits, ...presents }, config.family)
}

const whole = (value: number): Tensor => ({ type: "int64", dims: [], data: BigInt64Array.of(BigInt(value)) })
