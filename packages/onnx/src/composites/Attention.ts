import type { Value } from "../Graph.ts"
import { append, attend, mergeHeads, splitHeads } from "./attend.ts"
import type { Composite, Decomposition } from "./Composite.ts"
import { additive, causalMask, countFrom, lengthOf, minus } from "./masks.ts"

/** With an axis for the heads: `[batch, heads, tokens, size]`, and how many heads there are. */
const withHeads = (call: Composite, x: Value, name: string, attribute: string) => {
  if (call.rank(x, name) === 4) return { x, heads: call.size(x, 1, name) }
  const heads = call.count(attribute)
  return { x: splitHeads(call, x, heads), heads }
}

/**
 * Attention-23 and -24 of ONNX: operands of 3 or 4 axes, shared key heads, masks of truth values or of numbers, causal
 * order behind a past, softcap, a number of keys that count for each row. A row that may see nothing gets the mean of
 * the values, where ONNX asks for zeros: neither is read in training, and there is no division by nothing.
 */
export const attention: Decomposition = (call) => {
  const { g } = call
  call.refuseForm({}, { qk_matmul_output: 3 })
  const first = call.input(0, "Q")
  const { x: query, heads } = withHeads(call, first, "Q", "q_num_heads")
  const { x: newKey, heads: keyHeads } = withHeads(call, call.input(1, "K"), "K", "kv_num_heads")
  const { x: newValue } = withHeads(call, call.input(2, "V"), "V", "kv_num_heads")
  const [pastKey, pastValue] = [call.optional(4), call.optional(5)]
  const key = append(call, pastKey, newKey)
  const value = append(call, pastValue, newValue)
  const [queries, keys] = [lengthOf(call, query, 2), lengthOf(call, key, 2)]
  const biases: Value[] = []
  const counts = call.optional(6)
  if (call.flag("is_causal") && counts === undefined) {
    const past = pastKey === undefined ? 0 : lengthOf(call, pastKey, 2)
    biases.push(causalMask(call, query.type, { queries, keys, past }))
  }
  const mask = call.optional(3)
  if (mask !== undefined) biases.push(mask.type === "bool" ? additive(call, mask, query.type) : mask)
  if (counts !== undefined) {
    const rows = g.unsqueeze(counts, [1, 2, 3])
    const columns = countFrom(call, 0, keys)
    // The last query stands at the last key that counts
    const last = g.unsqueeze(countFrom(call, minus(call, 1, queries), queries), [1])
    const seen = call.flag("is_causal") ? g.less(columns, g.add(rows, last)) : g.less(columns, rows)
    biases.push(additive(call, seen, query.type))
  }
  const scale =
    call.node.attributes["scale"] === undefined
      ? 1 / Math.sqrt(call.size(query, 3, "head size"))
      : call.float("scale", 1)
  const softcap = call.float("softcap", 0)
  const y = attend(call, { query, key, value, heads, keyHeads, scale, softcap, biases })
  return [call.rank(first, "Q") === 4 ? y : mergeHeads(call, y, heads, value), key, value]
}
