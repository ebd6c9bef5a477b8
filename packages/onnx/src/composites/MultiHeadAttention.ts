import type { Value } from "../Graph.ts"
import { append, attend, mergeHeads, splitHeads } from "./attend.ts"
import type { Composite, Decomposition } from "./Composite.ts"
import { additive, causalMask, countFrom, type Length, lengthOf } from "./masks.ts"

/** Query, key and value with an axis for the heads: `[batch, heads, tokens, size]`. */
interface Heads {
  readonly query: Value
  readonly key: Value
  readonly value: Value
}

/** One of the things packed on an axis of a projection with heads: `[batch, tokens, heads, n, size]`. */
const unpack = (call: Composite, packed: Value, index: number): Value => {
  const part = call.g.squeeze(call.g.slice(packed, 3, index, index + 1), [3])
  return call.g.transpose(part, [0, 2, 1, 3])
}

/** A stretch of the bias of q, k and v, for heads: `[heads, 1, size]`. */
const biasOf = (call: Composite, bias: Value, heads: number, from: number, width: number): Value =>
  call.g.reshape(call.g.slice(bias, 0, from, from + width), [heads, 1, width / heads])

const project = (call: Composite, heads: number): Heads => {
  const { g } = call
  const query = call.input(0, "query")
  const bias = call.optional(3)
  const biased = (x: Value, from: number): Value => {
    if (bias === undefined) return x
    const width = heads * call.size(x, 3, "head size")
    return g.add(x, biasOf(call, bias, heads, from, width))
  }
  if (call.rank(query, "query") === 5) {
    const [q, k, v] = [0, 1, 2].map((index) => unpack(call, query, index))
    const width = bias === undefined ? 0 : heads * call.size(q!, 3, "head size")
    return { query: biased(q!, 0), key: biased(k!, width), value: biased(v!, 2 * width) }
  }
  const q = splitHeads(call, query, heads)
  const width = bias === undefined ? 0 : heads * call.size(q, 3, "head size")
  const key = call.input(1, "key")
  const rank = call.rank(key, "key")
  if (rank === 5) {
    return {
      query: biased(q, 0),
      key: biased(unpack(call, key, 0), width),
      value: biased(unpack(call, key, 1), 2 * width),
    }
  }
  const value = call.input(2, "value")
  // Keys and values of an encoder come with their heads, and without a bias
  if (rank === 4) return { query: biased(q, 0), key, value }
  return {
    query: biased(q, 0),
    key: biased(splitHeads(call, key, heads), width),
    value: biased(splitHeads(call, value, heads), 2 * width),
  }
}

/** What a mask of padded keys adds to the scores, for each of its forms. */
export const paddingBias = (call: Composite, mask: Value, keys: Length, like: Value): Value => {
  const { g } = call
  const filter = call.float("mask_filter_value", -10000)
  const rank = call.rank(mask, "key_padding_mask")
  if (rank === 1) {
    // The number of keys of each row that count
    const seen = g.less(g.unsqueeze(countFrom(call, 0, keys), [0]), g.unsqueeze(g.cast(mask, "int64"), [1]))
    return g.unsqueeze(additive(call, seen, like.type, filter), [1, 2])
  }
  if (rank > 3) call.refuse("key_padding_mask", "1 to 3 axes", `of ${rank} axes`)
  const seen = g.greater(mask, g.cast(g.scalar(0), mask.type ?? "int32"))
  return g.unsqueeze(additive(call, seen, like.type, filter), rank === 2 ? [1, 2] : [1])
}

/** com.microsoft.MultiHeadAttention: output `[batch, tokens, heads · value size]`, keys and values with the earlier ones. */
export const multiHeadAttention: Decomposition = (call) => {
  call.refuseForm({ past_sequence_length: 8, cache_indirection: 9 }, { output_qk: 3 })
  const heads = call.count("num_heads")
  const { query, key: newKey, value: newValue } = project(call, heads)
  const [pastKey, pastValue] = [call.optional(6), call.optional(7)]
  const key = append(call, pastKey, newKey)
  const value = append(call, pastValue, newValue)
  const keys = lengthOf(call, key, 2)
  const biases: Value[] = []
  const padding = call.optional(4)
  if (padding !== undefined) biases.push(paddingBias(call, padding, keys, query))
  const bias = call.optional(5)
  if (bias !== undefined) biases.push(bias)
  if (call.flag("unidirectional")) {
    const past = pastKey === undefined ? 0 : lengthOf(call, pastKey, 2)
    biases.push(causalMask(call, query.type, { queries: lengthOf(call, query, 2), keys, past }))
  }
  const given = call.float("scale", 0)
  const scale = given === 0 ? 1 / Math.sqrt(call.size(query, 3, "head size")) : given
  const y = attend(call, { query, key, value, heads, keyHeads: heads, scale, biases })
  return [mergeHeads(call, y, heads, value), key, value]
}

/** com.microsoft.Attention: the projection to queries, keys and values is part of it, and past and present are packed. */
export const attentionContrib: Decomposition = (call) => {
  const { g } = call
  call.refuseForm({ past_sequence_length: 6 })
  if (call.flag("do_rotary")) call.refuse("do_rotary", "0", "1")
  if (call.flag("past_present_share_buffer")) call.refuse("past_present_share_buffer", "0", "1")
  const heads = call.count("num_heads")
  const weights = call.input(1, "weights")
  const product = g.matmul(call.input(0, "input"), weights)
  const projected = call.optional(2) === undefined ? product : g.add(product, call.input(2, "bias"))
  const total = call.size(weights, 1, "weights")
  const sizes = call.ints("qkv_hidden_sizes") ?? [total / 3, total / 3, total / 3]
  const [q, k, v] = g.split(projected, sizes, 2).map((part) => splitHeads(call, part, heads))
  const past = call.optional(4)
  const part = (index: number) => (past === undefined ? undefined : g.squeeze(g.slice(past, 0, index, index + 1), [0]))
  const key = append(call, part(0), k!)
  const value = append(call, part(1), v!)
  const keys = lengthOf(call, key, 2)
  const mask = call.optional(3)
  const biases = mask === undefined ? [] : [paddingBias(call, mask, keys, q!)]
  const bias = call.optional(5)
  if (bias !== undefined) biases.push(bias)
  if (call.flag("unidirectional")) {
    const before = past === undefined ? 0 : lengthOf(call, past, 3)
    biases.push(causalMask(call, q!.type, { queries: lengthOf(call, q!, 2), keys, past: before }))
  }
  const given = call.float("scale", 0)
  const scale = given === 0 ? 1 / Math.sqrt(sizes[0]! / heads) : given
  const y = attend(call, { query: q!, key, value, heads, keyHeads: heads, scale, biases })
  const present = call.reads(1) ? g.concat([g.unsqueeze(key, [0]), g.unsqueeze(value, [0])], 0) : undefined
  return [mergeHeads(call, y, heads, value), present]
}
