import { GraphBuilder, type Tensor, type Value } from "@tandem/onnx"
import { InvalidLanguageModel, SequenceTooLong } from "../Errors.ts"
import type { DropoutMask } from "../encoder/Encoder.ts"
import { fusedRmsNormalization } from "../internal/Blocks.ts"
import { decoderStates, encoderStates, type Form, logitsOf, masked } from "../internal/Seq2SeqBlocks.ts"
import { type TokenRows, tokenRows } from "../internal/TokenRows.ts"
import { pairBuckets } from "./RelativePositions.ts"
import type { Seq2SeqConfig, Seq2SeqGraph, Seq2SeqShape } from "./Seq2Seq.ts"
import { type Side, seq2seqNames, seq2seqParameters } from "./Seq2SeqParameters.ts"

/** The inputs that an encoder-decoder takes for training. */
export const seq2seqInputs: readonly string[] = [
  "input_ids",
  "attention_mask",
  "decoder_input_ids",
  "decoder_attention_mask",
]

/**
 * The encoder-decoder for one static shape, as `Seq2Seq.graph` describes it: parameters are inputs in Hugging Face's
 * layout, `buffers` are constants, token-wise work is done on `[batch · tokens, hidden]` with `Gemm`; queries, keys and
 * values of self-attention are one product, keys and values of the attention to the encoder another one; factors ride
 * on a product's alpha.
 *
 * With `shape.packedRows` the input `packed_rows` `[packedRows] int64` names the places of the batch, `row · tokens +
 * column`, that the encoder's token-wise work is done on: each real token once, and distinct padding places for what is
 * left; `packed_target_rows` does the same for the decoder. With `shape.logitRows` what stands behind the last attention
 * is computed at those places alone. All give the same numbers and the same gradients as without, where only real tokens
 * are read.
 *
 * Dropout sits where Hugging Face's models have it: on the embeddings, attention probabilities, what attention and
 * feed-forward layers give, inside the latter, and on T5's last norms.
 */
export const seq2seqGraph = (
  config: Seq2SeqConfig,
  shape: Seq2SeqShape,
  buffers: ReadonlyMap<string, Tensor> = new Map(),
): Seq2SeqGraph => {
  const { batch, tokens, targetTokens } = shape
  checkShape(config, shape)
  const g = new GraphBuilder()
  const inputs = seq2seqInputs.map((name, index) => g.input(name, "int64", [batch, index < 2 ? tokens : targetTokens]))
  const [ids, mask, targetIds, targetMask] = inputs
  const weights = new Map(seq2seqParameters(config).map(({ name, dims }) => [name, g.input(name, "float32", dims)]))
  for (const [name, value] of buffers)
    if (value.data.some((element) => Number(element) !== 0)) weights.set(name, g.constant(value))
  const sides: Readonly<Record<Side, Places>> = {
    encoder: { ids: ids!, tokens, rows: tokenRows(g, { places: batch * tokens, packedRows: shape.packedRows }) },
    decoder: {
      ids: targetIds!,
      tokens: targetTokens,
      rows: tokenRows(g, { places: batch * targetTokens, packedRows: shape.packedTargetRows }, "packed_target_rows"),
    },
  }
  const wanted = shape.logitRows === undefined ? undefined : g.input("logit_rows", "int64", [shape.logitRows])
  const masks: DropoutMask[] = []
  const padding = (value: Value, length: number): Value =>
    g.reshape(g.mul(g.sub(g.cast(value, "float32"), g.scalar(1)), g.scalar(masked)), [batch, 1, 1, length])
  const sourceBias = padding(mask!, tokens)
  const { hidden: rate = 0, attention = 0, activation = rate } = shape.dropout ?? {}
  const dropout = { hidden: rate, attention, activation }

  /** Linear maps of rows of one side, each as `[batch, heads, length, headSize]`. */
  const heads = (side: Side, x: Value, names: readonly string[], factors: readonly number[]): readonly Value[] => {
    const { headSize } = config
    const { heads: count } = config[side]
    const { rows, tokens: length } = sides[side]
    const part = (kind: "weight" | "bias"): Value =>
      g.concat(
        names.map((name, index) => {
          const value = weights.get(`${name}.${kind}`)!
          return factors[index] === 1 ? value : g.mul(value, g.scalar(factors[index]!))
        }),
        0,
      )
    const bias = config.biases ? { c: part("bias") } : {}
    const joined = g.gemm(x, part("weight"), { ...bias, transB: true })
    const places = rows.spread(joined, names.length * count * headSize)
    const turned = g.transpose(g.reshape(places, [batch, length, names.length, count, headSize]), [2, 0, 3, 1, 4])
    const dims = [batch, count, length, headSize]
    if (names.length === 1) return [g.reshape(turned, dims)]
    return g
      .split(
        turned,
        names.map(() => 1),
        0,
      )
      .map((value) => g.reshape(value, dims))
  }
  const drop: Form["drop"] = (x, share) => {
    if (share === 0) return x
    const input = `dropout.${masks.length}`
    masks.push({ input, rate: share })
    return g.where(g.input(input, "bool", x.dims ?? []), x, g.scalar(0))
  }
  const form: Form = {
    g,
    config,
    weight: (name) => weights.get(name),
    rms: fusedRmsNormalization,
    dropout,
    drop,
    embed: (side, table) => {
      const { ids: value, tokens: length, rows } = sides[side]
      return g.gather(table, rows.pick(g.reshape(value, [batch * length])))
    },
    addPositions: (side, x) => {
      if (config.positions.kind === "relative") return x
      const { offset } = config.positions
      const { tokens: length, rows } = sides[side]
      const own = g.slice(weights.get(seq2seqNames(config).positions(side))!, 0, offset, offset + length)
      if (rows.count === batch * length) {
        const dims = [batch, length, config.hiddenSize]
        return g.reshape(g.add(g.reshape(x, dims), own), [rows.count, config.hiddenSize])
      }
      const columns = Array.from({ length: batch * length }, (_, place) => place % length)
      const at = rows.pick(
        g.constant({ type: "int64", dims: [batch * length], data: BigInt64Array.from(columns, BigInt) }),
      )
      return g.add(x, g.gather(own, at))
    },
    selfBias: (side) => {
      const { tokens: length } = sides[side]
      const hidden = side === "encoder" ? sourceBias : g.add(padding(targetMask!, length), causal(g, length))
      const { positions } = config
      if (positions.kind === "absolute") return hidden
      const pairs = g.constant(pairBuckets({ ...positions, bidirectional: side === "encoder" }, length, length))
      const byPair = g.gather(weights.get(seq2seqNames(config).positions(side))!, pairs)
      return g.add(g.unsqueeze(g.transpose(byPair, [2, 0, 1]), [0]), hidden)
    },
    crossBias: () => sourceBias,
    selfHeads: (side, x, names, factors) => {
      const [query, key, value] = heads(side, x, [names.query, names.key, names.value], factors)
      return { query: query!, key: key!, value: value! }
    },
    crossHeads: (x, states, names, factors) => {
      const [query] = heads("decoder", x, [names.query], [factors[0]!])
      const [key, value] = heads("encoder", states, [names.key, names.value], [factors[1]!, factors[2]!])
      return { query: query!, key: key!, value: value! }
    },
    merge: (side, context) => {
      const { rows, tokens: length } = sides[side]
      return rows.pick(g.reshape(context, [batch * length, config[side].heads * config.headSize]))
    },
    finish: (x) => (wanted === undefined ? x : sides.decoder.rows.at(x, wanted)),
  }
  const states = encoderStates(form)
  const hidden = decoderStates(form, states)
  const logits = g.scope("vocabulary", () => logitsOf(form, hidden))
  const unpacked = (side: Side, x: Value, width: number): Value => {
    const { rows, tokens: length } = sides[side]
    return g.reshape(rows.spread(x, width), [batch, length, width])
  }
  const target = (x: Value, width: number): Value => (wanted === undefined ? unpacked("decoder", x, width) : x)
  const outputs = {
    logits: target(logits, config.vocabularySize),
    last_hidden_state: target(hidden, config.hiddenSize),
    encoder_last_hidden_state: unpacked("encoder", states, config.hiddenSize),
  }
  return { graph: g.build(outputs, config.family), dropout: masks }
}

interface Places {
  readonly ids: Value
  readonly tokens: number
  readonly rows: TokenRows
}

/** `[1, 1, length, length]`: 0 where a token sees another, itself or one before it. */
const causal = (g: GraphBuilder, length: number): Value => {
  const indices = (dims: readonly number[]): Value =>
    g.constant({ type: "int32", dims, data: Int32Array.from({ length }, (_, index) => index) })
  const before = g.lessOrEqual(indices([1, 1, 1, length]), indices([1, 1, length, 1]))
  return g.where(before, g.scalar(0), g.scalar(-masked))
}

const checkShape = (config: Seq2SeqConfig, shape: Seq2SeqShape): void => {
  const { batch, tokens, targetTokens, dropout } = shape
  const limit = config.positions.kind === "absolute" ? config.positions.count : Number.MAX_SAFE_INTEGER
  const longest = Math.max(tokens, targetTokens)
  if (longest > limit) {
    throw new SequenceTooLong({
      message: `the model has no positions for ${longest} tokens`,
      expected: `at most ${limit}`,
      found: `${longest}`,
      hint: "lower the maximum length",
    })
  }
  const places = [batch * tokens, batch * targetTokens] as const
  const { packedRows = places[0], packedTargetRows = places[1], logitRows = packedTargetRows } = shape
  const sizes = [batch, tokens, targetTokens, packedRows, packedTargetRows, logitRows]
  const whole = sizes.every((size) => Number.isSafeInteger(size) && size > 0)
  const fits = packedRows <= places[0] && packedTargetRows <= places[1] && logitRows <= packedTargetRows
  const rates = Object.values(dropout ?? {}).every((rate) => rate >= 0 && rate < 1)
  if (!whole || !fits || !rates) {
    throw new InvalidLanguageModel({
      message: "no graph can be built for this shape",
      expected:
        "whole numbers of rows, tokens, packed rows (at most rows · tokens) and logit rows (at most the target's packed rows), dropout rates of at least 0 and below 1",
      found: JSON.stringify(shape),
    })
  }
}
