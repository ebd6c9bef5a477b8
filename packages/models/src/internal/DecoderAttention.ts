import type { GraphBuilder, Tensor, Value } from "@tandem/onnx"
import type { DecoderConfig, DecoderLayer } from "../decoder/Decoder.ts"
import { capped, type Heads, masked } from "./DecoderBlocks.ts"

/** Rows of tokens of one length. */
export interface Tokens {
  readonly rows: number
  readonly tokens: number
  /** `[rows, tokens] int64`: 1 at real tokens, 0 at padding. */
  readonly mask: Value
  /** `[rows, tokens] int64` */
  readonly positions: Value
}

/** What attention of one layer needs to know. */
export interface AttentionSettings {
  readonly g: GraphBuilder
  readonly config: DecoderConfig
  readonly layer: DecoderLayer
  /** Sets dropped probabilities to zero. */
  readonly drop: (probabilities: Value) => Value
}

/**
 * Attention of each token to itself and those before it in its row. Heads are given at the places of the rows,
 * `[rows · tokens, heads · headSize]`, and so is the result.
 */
export const causalAttention = (
  { g, config, layer, drop }: AttentionSettings,
  of: Tokens,
  { query, key, value }: Heads,
): Value => {
  const { rows, tokens } = of
  const { heads, keyValueHeads, headSize } = config
  const group = heads / keyValueHeads
  const turned = (x: Value, count: number, order: readonly number[]): Value =>
    g.transpose(g.reshape(x, [rows, tokens, count, headSize]), order)
  const q = g.reshape(turned(query, heads, [0, 2, 1, 3]), [rows, keyValueHeads, group * tokens, headSize])
  const products = capped(g, g.matmul(q, turned(key, keyValueHeads, [0, 2, 3, 1])), config.scoreCap)
  const bias = ownBias(g, layer, of)
  const scores = g.add(g.reshape(products, [rows, heads, tokens, tokens]), g.reshape(bias, [rows, 1, tokens, tokens]))
  const probabilities = g.reshape(drop(g.softmax(scores, -1)), [rows, keyValueHeads, group * tokens, tokens])
  const context = g.matmul(probabilities, turned(value, keyValueHeads, [0, 2, 1, 3]))
  const merged = g.transpose(g.reshape(context, [rows, heads, tokens, headSize]), [0, 2, 1, 3])
  return g.reshape(merged, [rows * tokens, heads * headSize])
}

/**
 * Attention of each token of `own` to the prefix of its row, and to itself and those before it in its row. The rows of
 * `own` stand in groups of equal size, one for each row of `prefix`; the queries of a group meet its prefix's keys in one
 * product without a copy of the keys. One softmax is over both.
 */
export const prefixedAttention = (
  { g, config, layer, drop }: AttentionSettings,
  own: Tokens,
  { query, key, value }: Heads,
  prefix: Tokens,
  shared: Omit<Heads, "query">,
): Value => {
  const { rows, tokens: before } = prefix
  const { tokens } = own
  const size = own.rows / rows
  const { heads, keyValueHeads, headSize } = config
  const group = heads / keyValueHeads
  const queries = group * tokens
  const ofGroups = (x: Value, order: readonly number[]): Value =>
    g.transpose(g.reshape(x, [rows, size, tokens, keyValueHeads, headSize]), order)
  const ofPrefix = (x: Value, order: readonly number[]): Value =>
    g.transpose(g.reshape(x, [rows, before, keyValueHeads, headSize]), order)

  const q = g.transpose(g.reshape(query, [rows, size, tokens, keyValueHeads, group, headSize]), [0, 3, 1, 4, 2, 5])
  const scores = (products: Value, width: number, bias: Value): Value => {
    const each = [rows, keyValueHeads, size, group, tokens, width]
    return g.add(g.reshape(capped(g, products, config.scoreCap), each), bias)
  }
  const toPrefix = g.matmul(
    g.reshape(q, [rows, keyValueHeads, size * queries, headSize]),
    ofPrefix(shared.key, [0, 2, 3, 1]),
  )
  const toOwn = g.matmul(g.reshape(q, [rows, keyValueHeads, size, queries, headSize]), ofGroups(key, [0, 3, 1, 4, 2]))
  const all = g.concat(
    [
      scores(toPrefix, before, prefixBias(g, layer, own, prefix)),
      scores(toOwn, tokens, g.reshape(ownBias(g, layer, own), [rows, 1, size, 1, tokens, tokens])),
    ],
    5,
  )
  const [onPrefix, onOwn] = g.split(drop(g.softmax(all, -1)), [before, tokens], 5)
  const ofShared = g.matmul(
    g.reshape(onPrefix!, [rows, keyValueHeads, size * queries, before]),
    ofPrefix(shared.value, [0, 2, 1, 3]),
  )
  const ofOwn = g.matmul(
    g.reshape(onOwn!, [rows, keyValueHeads, size, queries, tokens]),
    ofGroups(value, [0, 3, 1, 2, 4]),
  )
  const context = g.add(g.reshape(ofShared, [rows, keyValueHeads, size, queries, headSize]), ofOwn)
  const merged = g.transpose(
    g.reshape(context, [rows, keyValueHeads, size, group, tokens, headSize]),
    [0, 2, 4, 1, 3, 5],
  )
  return g.reshape(merged, [own.rows * tokens, heads * headSize])
}

/** 0 where a mask is 1, and what hides a token where it is 0. */
const paddingBias = (g: GraphBuilder, mask: Value): Value =>
  g.mul(g.sub(g.cast(mask, "float32"), g.scalar(1)), g.scalar(masked))

/** `[rows, 1, tokens, tokens]`: 0 where a token sees another of its row. */
const ownBias = (g: GraphBuilder, { window }: DecoderLayer, { rows, tokens, mask }: Tokens): Value => {
  const indices = (dims: readonly number[]): Value =>
    g.constant({ type: "int32", dims, data: Int32Array.from({ length: tokens }, (_, index) => index) })
  const [own, other] = [indices([tokens, 1]), indices([1, tokens])]
  const hidden = g.scalar(-masked)
  const before = g.where(g.lessOrEqual(other, own), g.scalar(0), hidden)
  const windowed =
    window === undefined || window >= tokens
      ? before
      : g.where(g.greater(other, g.sub(own, g.constant(int32(window)))), before, hidden)
  return g.add(g.reshape(paddingBias(g, mask), [rows, 1, 1, tokens]), windowed)
}

/**
 * `[prefixes, 1, rows of each or 1, 1, tokens or 1, prefix tokens]`: 0 where a token sees one of its prefix. A window
 * goes by positions, since padding may lie between the two.
 */
const prefixBias = (g: GraphBuilder, { window }: DecoderLayer, own: Tokens, prefix: Tokens): Value => {
  const { rows, tokens: before, mask } = prefix
  const padding = g.reshape(paddingBias(g, mask), [rows, 1, 1, 1, 1, before])
  if (window === undefined || window >= before + own.tokens) return padding
  const at = (of: Tokens, dims: readonly number[]): Value => g.reshape(g.cast(of.positions, "int32"), dims)
  const first = g.sub(at(own, [rows, 1, own.rows / rows, 1, own.tokens, 1]), g.constant(int32(window)))
  const near = g.greater(at(prefix, [rows, 1, 1, 1, 1, before]), first)
  return g.where(near, padding, g.scalar(-masked))
}

const int32 = (value: number): Tensor => ({ type: "int32", dims: [], data: Int32Array.of(value) })
