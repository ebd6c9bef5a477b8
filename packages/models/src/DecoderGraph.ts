import { GraphBuilder, type Tensor, type Value } from "@tandem/onnx"
import type { DecoderConfig, DecoderGraph, DecoderLayer, DecoderShape } from "./Decoder.ts"
import { decoderParameters } from "./DecoderParameters.ts"
import type { DropoutMask, DropoutRates } from "./Encoder.ts"
import { InvalidLanguageModel, SequenceTooLong } from "./Errors.ts"
import { capped, decode, type Form, masked } from "./internal/DecoderBlocks.ts"
import { maskPositions, tokenRows } from "./internal/TokenRows.ts"

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
 * Dropout sits where Hugging Face's models have it: GPT-2 on embeddings, attention probabilities and both outputs of a
 * block, the Llama family on attention probabilities.
 */
export const decoderGraph = (config: DecoderConfig, shape: DecoderShape): DecoderGraph => {
  const { batch, tokens, dropout = { hidden: 0, attention: 0 } } = shape
  checkShape(config, shape, dropout)
  const g = new GraphBuilder()
  const [ids, mask] = decoderInputs.map((name) => g.input(name, "int64", [batch, tokens]))
  const weights = new Map(decoderParameters(config).map(({ name, dims }) => [name, g.input(name, "float32", dims)]))
  const rows = tokenRows(g, shape)
  const wanted = shape.logitRows === undefined ? undefined : g.input("logit_rows", "int64", [shape.logitRows])
  const masks: DropoutMask[] = []
  const { heads, keyValueHeads, headSize } = config
  const group = heads / keyValueHeads
  const places = [batch * tokens]
  const positions = maskPositions(g, mask!)
  const toHeads = (x: Value, count: number, order: readonly number[]): Value =>
    g.transpose(
      g.reshape(rows.spread(g.reshape(x, [rows.count, count * headSize]), count * headSize), [
        batch,
        tokens,
        count,
        headSize,
      ]),
      order,
    )
  const form: Form = {
    g,
    weight: (name) => weights.get(name),
    ids: rows.pick(g.reshape(ids!, places)),
    positions: rows.pick(g.reshape(positions, places)),
    allPositions: positions,
    training: true,
    heads: (x, count) => g.reshape(x, [Number(x.dims?.[0]), count, headSize]),
    attend: (query, key, value, layer) => {
      const bias = attentionBias(g, mask!, layer, batch, tokens)
      const q = g.reshape(toHeads(query, heads, [0, 2, 1, 3]), [batch, keyValueHeads, group * tokens, headSize])
      const products = capped(g, g.matmul(q, toHeads(key, keyValueHeads, [0, 2, 3, 1])), config.scoreCap)
      const scores = g.add(g.reshape(products, [batch, heads, tokens, tokens]), bias)
      const kept = form.drop(g.softmax(scores, -1), [batch, heads, tokens, tokens], dropout.attention)
      const probabilities = g.reshape(kept, [batch, keyValueHeads, group * tokens, tokens])
      const context = g.reshape(g.matmul(probabilities, toHeads(value, keyValueHeads, [0, 2, 1, 3])), [
        batch,
        heads,
        tokens,
        headSize,
      ])
      return rows.pick(g.reshape(g.transpose(context, [0, 2, 1, 3]), [batch * tokens, heads * headSize]))
    },
    finish: (x) => (wanted === undefined ? x : rows.at(x, wanted)),
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
    wanted === undefined ? g.reshape(rows.spread(x, width), [batch, tokens, width]) : x
  const outputs = {
    logits: shaped(logits, config.vocabularySize),
    last_hidden_state: shaped(hidden, config.hiddenSize),
  }
  return { graph: g.build(outputs, config.family), dropout: masks }
}

const checkShape = (config: DecoderConfig, shape: DecoderShape, dropout: DropoutRates): void => {
  const { batch, tokens, packedRows = batch * tokens, logitRows = packedRows } = shape
  const limit = longestSequence(config)
  if (tokens > limit) {
    throw new SequenceTooLong({
      message: `the model has no positions for ${tokens} tokens`,
      expected: `at most ${limit}`,
      found: `${tokens}`,
      hint: "lower the maximum length",
    })
  }
  const whole = [batch, tokens, packedRows, logitRows].every((size) => Number.isSafeInteger(size) && size > 0)
  const sizes = whole && packedRows <= batch * tokens && logitRows <= packedRows
  const rates = [dropout.hidden, dropout.attention].every((rate) => rate >= 0 && rate < 1)
  if (!sizes || !rates) {
    throw new InvalidLanguageModel({
      message: "no graph can be built for this shape",
      expected:
        "whole numbers of rows, tokens, packed rows (at most rows · tokens) and logit rows (at most packed rows), dropout rates of at least 0 and below 1",
      found: JSON.stringify({ ...shape, dropout }),
    })
  }
}

/** Longest sequence that a decoder has positions for. */
export const longestSequence = ({ maxPositions, layers }: DecoderConfig): number => {
  const scaling = layers[0]?.rope?.scaling
  return scaling?.kind === "dynamic" ? Math.floor(maxPositions * scaling.factor) : maxPositions
}

/** `[batch, 1, tokens, tokens]`: 0 where a token sees another. */
const attentionBias = (
  g: GraphBuilder,
  mask: Value,
  { window }: DecoderLayer,
  batch: number,
  tokens: number,
): Value => {
  const indices = (dims: readonly number[]): Value =>
    g.constant({ type: "int32", dims, data: Int32Array.from({ length: tokens }, (_, index) => index) })
  const [own, other] = [indices([tokens, 1]), indices([1, tokens])]
  const hidden = g.scalar(-masked)
  const before = g.where(g.lessOrEqual(other, own), g.scalar(0), hidden)
  const windowed =
    window === undefined || window >= tokens
      ? before
      : g.where(g.greater(other, g.sub(own, g.constant(int32(window)))), before, hidden)
  const padding = g.mul(g.sub(g.cast(mask, "float32"), g.scalar(1)), g.scalar(masked))
  return g.add(g.reshape(padding, [batch, 1, 1, tokens]), windowed)
}

const int32 = (value: number): Tensor => ({ type: "int32", dims: [], data: Int32Array.of(value) })
