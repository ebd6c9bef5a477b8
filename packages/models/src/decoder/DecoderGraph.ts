import { GraphBuilder, int64, type Value } from "@tandem/onnx"
import { InvalidLanguageModel, SequenceTooLong } from "../Errors.ts"
import type { DropoutMask, DropoutRates } from "../encoder/Encoder.ts"
import { causalAttention, prefixedAttention } from "../internal/DecoderAttention.ts"
import { decode, type Form } from "../internal/DecoderBlocks.ts"
import { type DecoderPlaces, decoderPlaces, placesOf } from "../internal/DecoderPlaces.ts"
import { takeRows, tokenRows } from "../internal/TokenRows.ts"
import type { DecoderConfig, DecoderGraph, DecoderShape } from "./Decoder.ts"
import { decoderParameters } from "./DecoderParameters.ts"

/** The inputs that a decoder takes for training. */
export const decoderInputs: readonly string[] = ["input_ids", "attention_mask"]

/**
 * The decoder for one static shape, as `Decoder.graph` describes it: parameters are inputs in Hugging Face's layout,
 * token-wise work is done on `[batch · tokens, hidden]` with `Gemm`, and heads of queries that share keys meet them in one
 * product without a copy of the keys.
 *
 * Positions count the real tokens of a row, so padding may stand on either side, as in transformers' generation. With
 * `shape.packedRows` the input `packed_rows` `[packedRows] int64` names the places of the batch, `row · tokens + column`,
 * that token-wise work is done on: each real token once, and distinct padding places for what is left. With
 * `shape.logitRows` the last block's feed-forward, the last norm and the vocabulary's product are computed at those
 * places alone. Both give the same numbers and the same gradients as without, where only real tokens are read.
 *
 * With `shape.prefix` the batch's rows are what stands behind a prefix that `batch / prefix.rows` neighbouring rows share:
 * `prefix_input_ids` and `prefix_attention_mask` `[prefix.rows, prefix.tokens] int64`. Each prefix is computed once; the
 * rows attend to its keys and values where they are, and their positions go on behind its real tokens. Packed rows then
 * number the places of the prefixes first, `row · prefix.tokens + column`, and behind them those of the batch; logits are
 * of the batch alone, so that the last block computes no more than keys and values of a prefix where it knows
 * `logitRows`. Logits and gradients are those of prefix and rows written out as prompts. Dropout draws once for a prefix.
 *
 * Dropout sits where Hugging Face's models have it: GPT-2 on embeddings, attention probabilities and both outputs of a
 * block, the Llama family on attention probabilities.
 */
export const decoderGraph = (config: DecoderConfig, shape: DecoderShape): DecoderGraph => {
  const { batch, tokens, dropout = { hidden: 0, attention: 0 } } = shape
  checkShape(config, shape, dropout)
  const g = new GraphBuilder()
  const [ids, mask] = decoderInputs.map((name) => g.input(name, "int64", [batch, tokens]))
  const weights = new Map(decoderParameters(config).map(({ name, dims }) => [name, g.input(name, "float32", dims)]))
  const places = decoderPlaces(g, shape, ids!, mask!)
  const rows = tokenRows(g, { places: places.count, packedRows: shape.packedRows })
  const wanted = shape.logitRows === undefined ? undefined : g.input("logit_rows", "int64", [shape.logitRows])
  const masks: DropoutMask[] = []
  const form: Form = {
    g,
    weight: (name) => weights.get(name),
    ids: rows.pick(places.ids),
    positions: rows.pick(places.positions),
    allPositions: places.positions,
    training: true,
    heads: (x, count) => g.reshape(x, [Number(x.dims?.[0]), count, config.headSize]),
    attend: (heads, { layer, last }) => {
      const settings = { g, config, layer, drop: (x: Value) => form.drop(x, undefined, dropout.attention) }
      const [query, key, value] = [heads.query, heads.key, heads.value].map((x) => {
        const width = Number(x.dims?.[1]) * config.headSize
        return atPlaces(g, places, rows.spread(g.reshape(x, [rows.count, width]), width))
      })
      const own = { query: query!.own, key: key!.own, value: value!.own }
      if (places.prefix === undefined) {
        const context = causalAttention(settings, places.own, own)
        return last && wanted !== undefined ? takeRows(g, context, wanted) : rows.pick(context)
      }
      const shared = { query: query!.prefix, key: key!.prefix, value: value!.prefix }
      const context = prefixedAttention(settings, places.own, own, places.prefix, shared)
      if (last && wanted !== undefined) return takeRows(g, context, wanted)
      return rows.pick(g.concat([causalAttention(settings, places.prefix, shared), context], 0))
    },
    finish: (x) => (wanted === undefined ? x : rows.at(x, behind(g, places, wanted))),
    drop: (x, dims, rate) => {
      if (rate === 0) return x
      const input = `dropout.${masks.length}`
      masks.push({ input, rate })
      return g.where(g.input(input, "bool", dims ?? x.dims ?? []), x, g.scalar(0))
    },
    dropout,
  }
  const { logits, hidden } = decode(config, form)
  const shaped = (x: Value, width: number): Value =>
    wanted === undefined ? g.reshape(atPlaces(g, places, rows.spread(x, width)).own, [batch, tokens, width]) : x
  const outputs = {
    logits: shaped(logits, config.vocabularySize),
    last_hidden_state: shaped(hidden, config.hiddenSize),
  }
  return { graph: g.build(outputs, config.family), dropout: masks }
}

const checkShape = (config: DecoderConfig, shape: DecoderShape, dropout: DropoutRates): void => {
  const { batch, tokens, prefix = { rows: batch, tokens: 1 } } = shape
  const places = placesOf(shape)
  const { packedRows = places, logitRows = Math.min(packedRows, batch * tokens) } = shape
  const limit = longestSequence(config)
  const longest = Math.max(tokens, prefix.tokens)
  if (longest > limit) {
    throw new SequenceTooLong({
      message: `the model has no positions for ${longest} tokens`,
      expected: `at most ${limit}`,
      found: `${longest}`,
      hint: "lower the maximum length",
    })
  }
  const whole = [batch, tokens, prefix.rows, prefix.tokens, packedRows, logitRows].every(
    (size) => Number.isSafeInteger(size) && size > 0,
  )
  const grouped = batch % prefix.rows === 0
  const sizes = whole && grouped && packedRows <= places && logitRows <= Math.min(packedRows, batch * tokens)
  const rates = [dropout.hidden, dropout.attention].every((rate) => rate >= 0 && rate < 1)
  if (!sizes || !rates) {
    throw new InvalidLanguageModel({
      message: "no graph can be built for this shape",
      expected:
        "whole numbers of rows, tokens, packed rows (at most the places of prefixes and rows) and logit rows (at most packed rows, and the places of rows), rows that are a multiple of the prefixes, dropout rates of at least 0 and below 1",
      found: JSON.stringify({ ...shape, dropout }),
    })
  }
}

/** Longest sequence that a decoder has positions for. */
export const longestSequence = ({ maxPositions, layers }: DecoderConfig): number => {
  const scaling = layers[0]?.rope?.scaling
  return scaling?.kind === "dynamic" ? Math.floor(maxPositions * scaling.factor) : maxPositions
}

/** Values of prefixes, where there are any, and of the batch. */
const atPlaces = (
  g: GraphBuilder,
  { before, count }: DecoderPlaces,
  values: Value,
): { readonly prefix: Value; readonly own: Value } => {
  if (before === 0) return { prefix: values, own: values }
  const [prefix, own] = g.split(values, [before, count - before], 0)
  return { prefix: prefix!, own: own! }
}

/** Places of the batch as places of prefixes and batch. */
const behind = (g: GraphBuilder, { before }: DecoderPlaces, places: Value): Value =>
  before === 0 ? places : g.add(places, g.constant(int64([], [before])))
