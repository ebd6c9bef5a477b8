import type { Value } from "../Graph.ts"
import type { Composite } from "./Composite.ts"

/** Attention over heads: what every attention operator comes down to. */
export interface Attend {
  /** `[batch, heads, queries, head size]` */
  readonly query: Value
  /** `[batch, key heads, keys, head size]`; every key head serves `heads / key heads` query heads in a row. */
  readonly key: Value
  /** `[batch, key heads, keys, value size]` */
  readonly value: Value
  readonly heads: number
  readonly keyHeads: number
  readonly scale: number
  /** Scores become `softcap · tanh(score / softcap)`; 0 for none. */
  readonly softcap?: number
  /** What is added to the scores, each broadcast to `[batch, heads, queries, keys]`. */
  readonly biases: readonly Value[]
  /** Logits of a further key without a value `[heads]`, or 0 for all heads. */
  readonly sink?: Value | 0
}

/**
 * softmax(softcap(scale · Q Kᵀ) + biases) · V `[batch, heads, queries, value size]`.
 *
 * Query heads that share a key head are put one below the other, so that keys and values are not repeated.
 */
export const attend = (call: Composite, attention: Attend): Value => {
  const { g } = call
  const { query, key, value, heads, keyHeads, scale, softcap = 0, biases, sink } = attention
  const shares = heads !== keyHeads
  const stack = (x: Value): Value => (shares ? g.reshape(x, [0, keyHeads, -1, keep(x)]) : x)
  const unstack = (x: Value, width: number): Value => (shares ? g.reshape(x, [0, heads, rows(query), width]) : x)
  const scaled = scale === 1 ? query : g.mul(query, call.scalar(scale, query))
  const raw = unstack(g.matmul(stack(scaled), g.transpose(key, [0, 1, 3, 2])), keys(key))
  const cap = call.scalar(softcap, raw)
  const capped = softcap === 0 ? raw : g.mul(g.tanh(g.div(raw, cap)), cap)
  const scores = biases.reduce((sum, bias) => g.add(sum, bias), capped)
  const weights = sink === undefined ? g.softmax(scores) : softmaxWithSink(call, scores, raw, sink)
  return unstack(g.matmul(stack(weights), value), keep(value))
}

/** The size of the last axis where it is known, else the sign to keep it. */
const keep = (x: Value): number => {
  const last = x.dims?.at(-1)
  return typeof last === "number" ? last : 0
}

/** The number of keys where it is known, else the sign to keep what the last axis has. */
const keys = (key: Value): number => {
  const size = key.dims?.at(2)
  return typeof size === "number" ? size : 0
}

/** The number of queries where it is known, else the sign to work it out. */
const rows = (query: Value): number => {
  const size = query.dims?.at(2)
  return typeof size === "number" ? size : -1
}

/** Softmax with one more logit, whose share goes to nothing. */
const softmaxWithSink = (call: Composite, scores: Value, raw: Value, sink: Value | 0): Value => {
  const { g } = call
  // Only the shape of the slice counts
  const zeros = g.mul(g.slice(raw, 3, 0, 1), call.scalar(0, raw))
  const logit = sink === 0 ? zeros : g.add(zeros, g.reshape(sink, [1, -1, 1, 1]))
  return g.slice(
    g.softmax(g.op("Concat", [scores, logit], { attributes: { axis: { kind: "int", value: 3 } } })[0]!),
    3,
    0,
    -1,
  )
}

/** `[batch, tokens, heads · size]` as `[batch, heads, tokens, size]`. */
export const splitHeads = (call: Composite, x: Value, heads: number): Value =>
  call.g.transpose(call.g.reshape(x, [0, 0, heads, headSize(x, heads)]), [0, 2, 1, 3])

const headSize = (x: Value, heads: number): number => {
  const width = x.dims?.[2]
  return typeof width === "number" && width % heads === 0 ? width / heads : -1
}

/** What attention gives `[batch, heads, tokens, size]` as `[batch, tokens, heads · size]`; `value` has the same size. */
export const mergeHeads = (call: Composite, x: Value, heads: number, value: Value): Value => {
  const size = keep(value)
  return call.g.reshape(call.g.transpose(x, [0, 2, 1, 3]), [0, 0, size === 0 ? -1 : heads * size])
}

/** Earlier keys or values before the new ones, along the axis of tokens. */
export const append = (call: Composite, past: Value | undefined, next: Value): Value =>
  past === undefined ? next : call.g.concat([past, next], 2)
