import type { GraphBuilder, Value } from "@tandem/onnx"
import type { Seq2SeqConfig, Seq2SeqFamily } from "../seq2seq/Seq2Seq.ts"
import { type AttentionNames, type Side, seq2seqBlockNames, seq2seqNames } from "../seq2seq/Seq2SeqParameters.ts"
import { activate, type rmsNormalization } from "./Blocks.ts"

/** Queries, keys and values, each `[batch, heads, length, headSize]`. */
export interface Heads {
  readonly query: Value
  readonly key: Value
  readonly value: Value
}

/** Factors of queries, keys and values. */
type Factors = readonly [query: number, key: number, value: number]

/** What differs between a graph of static shapes and one of symbolic shapes; both work on rows `[rows, width]`. */
export interface Form {
  readonly g: GraphBuilder
  readonly config: Seq2SeqConfig
  /** A parameter or buffer by name, or undefined where the model has none of that name. */
  readonly weight: (name: string) => Value | undefined
  /** The norm of models without means. */
  readonly rms: typeof rmsNormalization
  readonly dropout: { readonly hidden: number; readonly attention: number; readonly activation: number }
  /** Sets dropped elements to zero; the scale of the others is the caller's business. */
  readonly drop: (x: Value, rate: number) => Value
  /** Hidden states behind a sublayer, kept within the range of a narrower type where one is meant. */
  readonly bound?: (x: Value) => Value
  /** The rows of a table that a side's token ids stand for. */
  readonly embed: (side: Side, table: Value) => Value
  /** Adds the position embeddings, where the model has such. */
  readonly addPositions: (side: Side, x: Value) => Value
  /** What is added to the scores of a side's self-attention. */
  readonly selfBias: (side: Side) => Value
  /** What is added to the scores of the attention to the encoder's states. */
  readonly crossBias: () => Value
  readonly selfHeads: (side: Side, x: Value, names: AttentionNames, factors: Factors, layer: number) => Heads
  readonly crossHeads: (x: Value, states: Value, names: AttentionNames, factors: Factors, layer: number) => Heads
  /** From `[batch, length, heads, headSize]` to rows. */
  readonly merge: (side: Side, context: Value) => Value
  /** Of the decoder's rows those that logits are computed at. */
  readonly finish: (x: Value) => Value
}

/** What is added to the score of a token that must not be seen: e to this power is 0, and no sum with a score overflows. */
export const masked = 1e9

/** The encoder's states, as rows. */
export const encoderStates = (form: Form): Value => {
  const { g, config } = form
  let x = g.scope("encoder.embeddings", () => embeddings(form, "encoder"))
  const bias = g.scope("encoder.bias", () => form.selfBias("encoder"))
  for (let layer = 0; layer < config.encoder.layers; layer++) {
    x = g.scope(`encoder.layer.${layer}`, () => {
      const names = seq2seqBlockNames(config, "encoder", layer)
      const middle = residual(form, names.self.norm, x, (rows) =>
        attention(form, "encoder", names.self, bias, (factors) =>
          form.selfHeads("encoder", rows, names.self, factors, layer),
        ),
      )
      return feedForward(form, names, middle)
    })
  }
  return finalNorm(form, "encoder", x)
}

/** The decoder's states, as rows, at the places that logits are computed at. */
export const decoderStates = (form: Form, states: Value): Value => {
  const { g, config } = form
  let x = g.scope("decoder.embeddings", () => embeddings(form, "decoder"))
  const bias = g.scope("decoder.bias", () => form.selfBias("decoder"))
  const crossBias = form.crossBias()
  for (let layer = 0; layer < config.decoder.layers; layer++) {
    const last = layer === config.decoder.layers - 1
    x = g.scope(`decoder.layer.${layer}`, () => {
      const names = seq2seqBlockNames(config, "decoder", layer)
      const own = residual(form, names.self.norm, x, (rows) =>
        attention(form, "decoder", names.self, bias, (factors) =>
          form.selfHeads("decoder", rows, names.self, factors, layer),
        ),
      )
      const cross = names.cross!
      const crossed = residual(
        form,
        cross.norm,
        own,
        (rows) =>
          attention(
            form,
            "decoder",
            cross,
            crossBias,
            (factors) => form.crossHeads(rows, states, cross, factors, layer),
            last,
          ),
        last,
      )
      return feedForward(form, names, crossed)
    })
  }
  return finalNorm(form, "decoder", x)
}

/** `[rows, vocabulary]` */
export const logitsOf = ({ g, config, weight }: Form, hidden: Value): Value => {
  const { vocabulary, logitBias } = seq2seqNames(config)
  const bias = weight(logitBias)
  return g.gemm(hidden, weight(vocabulary)!, {
    transB: true,
    alpha: config.logitScale,
    ...(bias === undefined ? {} : { c: bias }),
  })
}

const embeddings = (form: Form, side: Side): Value => {
  const { g, config, weight, dropout } = form
  const { tokens, embeddingNorm } = seq2seqNames(config)
  const words = form.embed(side, weight(tokens)!)
  const scaled = config.embeddingScale === 1 ? words : g.mul(words, g.scalar(config.embeddingScale))
  const sum = form.addPositions(side, scaled)
  const keep = 1 / (1 - dropout.hidden)
  if (config.embeddingNorm) return form.drop(norm(form, embeddingNorm(side), sum, keep), dropout.hidden)
  return form.drop(keep === 1 ? sum : g.mul(sum, g.scalar(keep)), dropout.hidden)
}

/** `factor · norm(x)` */
const norm = ({ g, config, weight, rms }: Form, name: string, x: Value, factor = 1): Value => {
  const scaled = (value: Value): Value => (factor === 1 ? value : g.mul(value, g.scalar(factor)))
  const scale = scaled(weight(`${name}.weight`)!)
  if (config.norm === "rms") return rms(g, x, scale, config.normEpsilon)
  return g.layerNormalization(x, scale, scaled(weight(`${name}.bias`)!), config.normEpsilon)
}

/** Families whose states are dropped behind their last norm. */
const dropsFinalNorm: Readonly<Record<Seq2SeqFamily, boolean>> = { t5: true, bart: false }

const finalNorm = (form: Form, side: Side, x: Value): Value => {
  const { config, dropout } = form
  if (!config.finalNorm) return x
  const rate = dropsFinalNorm[config.family] ? dropout.hidden : 0
  return form.drop(norm(form, seq2seqNames(config).finalNorm(side), x, 1 / (1 - rate)), rate)
}

/** A sublayer with the sum around it, and its norm on the side that the config says. */
const residual = (form: Form, name: string, x: Value, layer: (rows: Value) => Value, last = false): Value => {
  const { g, config, bound = (states) => states } = form
  const kept = last ? form.finish(x) : x
  if (config.normFirst) return bound(g.add(layer(norm(form, name, x)), kept))
  return norm(form, name, bound(g.add(layer(x), kept)))
}

/** `factor · (x · Wᵀ + b)`, where the bias has no part in `inner`, the share of the factor that x lacks. */
const linear = ({ g, weight }: Form, x: Value, name: string, factor = 1, inner = 1): Value => {
  const bias = weight(`${name}.bias`)
  return g.gemm(x, weight(`${name}.weight`)!, {
    transB: true,
    alpha: factor * inner,
    ...(bias === undefined ? {} : { c: bias, beta: factor }),
  })
}

const attention = (
  form: Form,
  side: Side,
  names: AttentionNames,
  bias: Value,
  headsOf: (factors: Factors) => Heads,
  last = false,
): Value => {
  const { g, config, dropout } = form
  const { query, key, value } = headsOf([config.attentionScale, 1, 1 / (1 - dropout.attention)])
  const scores = g.add(g.matmul(query, g.transpose(key, [0, 1, 3, 2])), bias)
  const probabilities = form.drop(g.softmax(scores, -1), dropout.attention)
  const context = form.merge(side, g.transpose(g.matmul(probabilities, value), [0, 2, 1, 3]))
  const rows = last ? form.finish(context) : context
  return form.drop(linear(form, rows, names.output, 1 / (1 - dropout.hidden)), dropout.hidden)
}

interface FeedForwardNames {
  readonly inner: readonly string[]
  readonly output: string
  readonly norm: string
}

const feedForward = (form: Form, names: FeedForwardNames, x: Value): Value =>
  residual(form, names.norm, x, (rows) => {
    const { g, config, dropout } = form
    const [first, second] = names.inner.map((name) => linear(form, rows, name))
    const activated = activate(g, config.activation, first!)
    const inner = form.drop(second === undefined ? activated : g.mul(activated, second), dropout.activation)
    const factors = [1 / (1 - dropout.hidden), 1 / (1 - dropout.activation)] as const
    return form.drop(linear(form, inner, names.output, ...factors), dropout.hidden)
  })
