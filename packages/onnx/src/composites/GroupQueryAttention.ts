import type { Value } from "../Graph.ts"
import { append, attend, mergeHeads, splitHeads } from "./attend.ts"
import type { Composite, Decomposition } from "./Composite.ts"
import { asValue, causalMask, countFrom, type Length, lengthOf } from "./masks.ts"
import { perHead, rotate } from "./RotaryEmbedding.ts"

/** Queries, keys and values apart: `[batch, heads, tokens, size]`. */
const project = (call: Composite, heads: number, keyHeads: number): readonly [Value, Value, Value] => {
  const query = call.input(0, "query")
  if (call.optional(1) !== undefined) {
    const [key, value] = [call.input(1, "key"), call.input(2, "value")]
    return [splitHeads(call, query, heads), splitHeads(call, key, keyHeads), splitHeads(call, value, keyHeads)]
  }
  const size = call.size(query, 2, "query") / (heads + 2 * keyHeads)
  const parts = call.g.split(query, [heads * size, keyHeads * size, keyHeads * size], 2)
  return [
    splitHeads(call, parts[0]!, heads),
    splitHeads(call, parts[1]!, keyHeads),
    splitHeads(call, parts[2]!, keyHeads),
  ]
}

/**
 * com.microsoft.GroupQueryAttention: causal attention where `num_heads / kv_num_heads` query heads share a key head,
 * with the rotary embedding of queries and keys before it, keys and values with the earlier ones after it.
 *
 * The past must be as long as its tensor in every row: `seqlens_k + 1` = past + tokens. A first prompt has none, so
 * training never does; rows that are padded on the right then compute what ONNX Runtime computes on their real tokens.
 */
export const groupQueryAttention: Decomposition = (call) => {
  call.refuseForm({ k_scale: 12, v_scale: 13 }, { output_qk: 3 })
  const heads = call.count("num_heads")
  const keyHeads = call.count("kv_num_heads")
  const [q, k, newValue] = project(call, heads, keyHeads)
  const [pastKey, pastValue] = [call.optional(3), call.optional(4)]
  const past = pastKey === undefined ? 0 : lengthOf(call, pastKey, 2)
  const turn = rotation(call, q, past)
  const query = turn(q)
  const key = append(call, pastKey, turn(k))
  const value = append(call, pastValue, newValue)
  const window = call.int("local_window_size", -1)
  const biases = [
    causalMask(call, q.type, {
      queries: lengthOf(call, q, 2),
      keys: lengthOf(call, key, 2),
      past,
      ...(window > 0 ? { window } : {}),
    }),
  ]
  const bias = call.optional(10)
  if (bias !== undefined) biases.push(bias)
  const given = call.float("scale", 0)
  const scale = given === 0 ? 1 / Math.sqrt(call.size(q, 3, "head size")) : given
  const softcap = call.float("softcap", 0)
  const sink = call.optional(11) ?? (call.flag("smooth_softmax") ? 0 : undefined)
  const y = attend(call, {
    query,
    key,
    value,
    heads,
    keyHeads,
    scale,
    softcap,
    biases,
    ...(sink === undefined ? {} : { sink }),
  })
  return [mergeHeads(call, y, heads, value), key, value]
}

/** The rotary embedding of the operator, for queries and keys. */
const rotation = (call: Composite, q: Value, past: Length): ((x: Value) => Value) => {
  if (!call.flag("do_rotary")) return (x) => x
  const cosCache = call.input(7, "cos_cache")
  const sinCache = call.input(8, "sin_cache")
  const positions = positionsOf(call, q, past)
  const half = call.size(cosCache, 1, "cos_cache")
  const angles = (cache: Value) => perHead(call, call.g.gather(cache, positions))
  const [cos, sin] = [angles(cosCache), angles(sinCache)]
  return (x) => rotate(call, x, { cos, sin, half, interleaved: call.flag("rotary_interleaved") })
}

/**
 * Where the tokens stand `[1 or batch, tokens]`: behind the past, or where they are said to. Of the positions of a first
 * prompt the operator reads one alone, that of the first token of the first row.
 */
const positionsOf = (call: Composite, q: Value, past: Length): Value => {
  const { g } = call
  const standing = g.unsqueeze(countFrom(call, past, lengthOf(call, q, 2)), [0])
  const given = call.optional(9)
  if (given === undefined) return standing
  if (typeof past === "number" && past > 0) return given
  const start = g.slice(g.slice(given, 0, 0, 1), 1, 0, 1)
  if (past === 0) return g.add(standing, start)
  return g.where(g.equal(asValue(call, past), asValue(call, 0)), g.add(standing, start), given)
}
