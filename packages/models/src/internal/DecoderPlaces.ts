import type { GraphBuilder, Value } from "@tandem/onnx"
import type { DecoderShape } from "../decoder/Decoder.ts"
import type { Tokens } from "./DecoderAttention.ts"
import { maskPositions } from "./TokenRows.ts"

/** The tokens that a decoder of one shape works on: those of prefixes, where the shape has any, then the batch's. */
export interface DecoderPlaces {
  readonly prefix: Tokens | undefined
  readonly own: Tokens
  /** Places of prefixes, and of all together. */
  readonly before: number
  readonly count: number
  /** `[count] int64` */
  readonly ids: Value
  readonly positions: Value
}

/** The inputs that hold prefixes. */
const prefixInputs: readonly string[] = ["prefix_input_ids", "prefix_attention_mask"]

/** Number of places of a shape. */
export const placesOf = ({ batch, tokens, prefix }: DecoderShape): number =>
  batch * tokens + (prefix === undefined ? 0 : prefix.rows * prefix.tokens)

/** Tokens of the batch come from `ids` and `mask` `[batch, tokens] int64`, those of prefixes from inputs made here. */
export const decoderPlaces = (g: GraphBuilder, shape: DecoderShape, ids: Value, mask: Value): DecoderPlaces => {
  const { batch, tokens, prefix } = shape
  const count = placesOf(shape)
  const positions = maskPositions(g, mask)
  const flat = (x: Value): Value => g.reshape(x, [Number(x.dims?.[0]) * Number(x.dims?.[1])])
  if (prefix === undefined) {
    const own = { rows: batch, tokens, mask, positions }
    return { prefix, own, before: 0, count, ids: flat(ids), positions: flat(positions) }
  }
  const [prefixIds, prefixMask] = prefixInputs.map((name) => g.input(name, "int64", [prefix.rows, prefix.tokens]))
  const shared = { ...prefix, mask: prefixMask!, positions: maskPositions(g, prefixMask!) }
  const grouped = (x: Value): Value => g.reshape(x, [prefix.rows, batch / prefix.rows, tokens])
  const lengths = g.reshape(g.reduceSum(prefixMask!, [1]), [prefix.rows, 1, 1])
  const behind = g.reshape(g.mul(g.add(grouped(positions), lengths), grouped(mask)), [batch, tokens])
  return {
    prefix: shared,
    own: { rows: batch, tokens, mask, positions: behind },
    before: prefix.rows * prefix.tokens,
    count,
    ids: g.concat([flat(prefixIds!), flat(ids)], 0),
    positions: g.concat([flat(shared.positions), flat(behind)], 0),
  }
}
