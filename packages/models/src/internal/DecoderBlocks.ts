import type { Dims, GraphBuilder, Value } from "@tandem/onnx"
import type { DecoderConfig, DecoderFamily, DecoderLayer } from "../decoder/Decoder.ts"
import { embeddingsName, finalNormName, normNames, outputName } from "../decoder/DecoderParameters.ts"
import { rotate, rotation } from "../decoder/Rope.ts"
import type { DropoutRates } from "../encoder/Encoder.ts"
import { activate, fusedRmsNormalization, rmsNormalization } from "./Blocks.ts"

/** What is added to the score of a token that must not be seen: e to this power is 0, and no sum with a score overflows. */
export const masked = 1e9

/** cap · tanh(x / cap), or x where there is no cap. */
export const capped = (g: GraphBuilder, x: Value, cap: number | undefined): Value =>
  cap === undefined ? x : g.mul(g.tanh(g.mul(x, g.scalar(1 / cap))), g.scalar(cap))

/** Heads of queries, keys and values. */
export interface Heads {
  readonly query: Value
  readonly key: Value
  readonly value: Value
}

/** What differs between a graph of static shapes and one of symbolic shapes; both work on rows `[rows, width]`. */
export interface Form {
  readonly g: GraphBuilder
  /** A parameter by name, or undefined where the model has none of that name. */
  readonly weight: (name: string) => Value | undefined
  /** `[rows]` */
  readonly ids: Value
  readonly positions: Value
  readonly allPositions: Value
  /** Whether norms are single operators, which save what their gradient reads. */
  readonly training: boolean
  /** `[rows, count · headSize]` as `[rows, count, headSize]` */
  readonly heads: (x: Value, count: number) => Value
  /**
   * Attention over heads `[rows, count, headSize]`; gives `[rows, heads · headSize]`, of the last block at the rows that
   * logits are computed at.
   */
  readonly attend: (heads: Heads, block: Block) => Value
  /** Of rows those that logits are computed at. */
  readonly finish: (x: Value) => Value
  /** Sets dropped elements to zero; the scale of the others is the caller's business. */
  readonly drop: (x: Value, dims: Dims | undefined, rate: number) => Value
  readonly dropout: DropoutRates
}

/** The logits and the states that they are made of, at the rows that the form asks for. */
export const decode = (config: DecoderConfig, form: Form): { readonly logits: Value; readonly hidden: Value } => {
  const { g } = form
  const { embed, block } = families[config.family]
  let x = g.scope("embeddings", () => embed(config, form))
  for (const [index, layer] of config.layers.entries()) {
    const last = index === config.layers.length - 1
    x = g.scope(`layer.${index}`, () => block({ config, form, layer, index, last }, x))
  }
  const hidden = norm(config, form, x, finalNormName(config))
  const logits = g.scope("vocabulary", () =>
    g.gemm(hidden, form.weight(outputName(config))!, { transB: true, alpha: config.logitScale }),
  )
  return { logits: capped(g, logits, config.logitCap), hidden }
}

/** What the blocks of a family are made of. */
interface Family {
  /** The embeddings of tokens, with what is added to them. */
  readonly embed: (config: DecoderConfig, form: Form) => Value
  /** The norm of that name, a module. */
  readonly norm: (config: DecoderConfig, form: Form, x: Value, name: string) => Value
  readonly block: (block: Block, x: Value) => Value
}

const norm: Family["norm"] = (config, form, x, name) => families[config.family].norm(config, form, x, name)

const words = (config: DecoderConfig, { g, weight, ids }: Form): Value => g.gather(weight(embeddingsName(config))!, ids)

const gpt2Embed: Family["embed"] = (config, form) => {
  const { g, weight, dropout } = form
  const sum = g.add(words(config, form), g.gather(weight("transformer.wpe.weight")!, form.positions))
  if (dropout.hidden === 0) return sum
  return form.drop(g.mul(sum, g.scalar(1 / (1 - dropout.hidden))), undefined, dropout.hidden)
}

const llamaEmbed: Family["embed"] = (config, form) => {
  const { embeddingScale } = config
  return embeddingScale === 1 ? words(config, form) : form.g.mul(words(config, form), form.g.scalar(embeddingScale))
}

const gpt2Norm: Family["norm"] = (config, { g, weight }, x, name) =>
  g.layerNormalization(x, weight(`${name}.weight`)!, weight(`${name}.bias`), config.normEpsilon)

const llamaNorm: Family["norm"] = (config, form, x, name) =>
  rootMeanSquare(config, form, x, form.weight(`${name}.weight`)!)

const rootMeanSquare = (config: DecoderConfig, { g, training }: Form, x: Value, weight: Value, factor = 1): Value => {
  const { normEpsilon, normOffset } = config
  const offset = normOffset === 0 ? weight : g.add(weight, g.scalar(normOffset))
  const scale = factor === 1 ? offset : g.mul(offset, g.scalar(factor))
  return (training ? fusedRmsNormalization : rmsNormalization)(g, x, scale, normEpsilon)
}

export interface Block {
  readonly config: DecoderConfig
  readonly form: Form
  readonly layer: DecoderLayer
  readonly index: number
  /** The last block's work behind the attention is needed only at the rows that logits are computed at. */
  readonly last: boolean
}

/** `factor · (x · W + b)`, where Hugging Face keeps W as `[in, out]` if `turned`, else as `[out, in]`. */
const linear = ({ g, weight }: Form, x: Value, name: string, turned: boolean, factor = 1): Value => {
  const bias = weight(`${name}.bias`)
  return g.gemm(x, weight(`${name}.weight`)!, {
    ...(bias === undefined ? {} : { c: bias, beta: factor }),
    transB: !turned,
    alpha: factor,
  })
}

const gpt2Block = (block: Block, x: Value): Value => {
  const { config, form, layer, index, last } = block
  const { g, dropout } = form
  const at = (name: string): string => `transformer.h.${index}.${name}`
  const { hiddenSize: hidden, heads } = config
  const keepHidden = 1 / (1 - dropout.hidden)
  const joined = linear(form, norm(config, form, x, at("ln_1")), at("attn.c_attn"), true)
  const [query, key, value] = g.split(joined, [hidden, hidden, hidden], 1)
  const scaled = g.mul(query!, g.scalar(layer.scale))
  const kept = dropout.attention === 0 ? value! : g.mul(value!, g.scalar(1 / (1 - dropout.attention)))
  const [q, k, v] = [scaled, key!, kept].map((part) => form.heads(part, heads))
  const finish = last ? form.finish : (rows: Value) => rows
  const context = form.attend({ query: q!, key: k!, value: v! }, block)
  const attended = form.drop(linear(form, context, at("attn.c_proj"), true, keepHidden), undefined, dropout.hidden)
  const middle = g.add(attended, finish(x))
  const inner = activate(
    g,
    config.activation,
    linear(form, norm(config, form, middle, at("ln_2")), at("mlp.c_fc"), true),
  )
  const fed = form.drop(linear(form, inner, at("mlp.c_proj"), true, keepHidden), undefined, dropout.hidden)
  return g.add(middle, fed)
}

const llamaBlock = (block: Block, x: Value): Value => {
  const { config, form, index, last } = block
  const { g } = form
  const at = (name: string): string => `model.layers.${index}.${name}`
  const names: Partial<Record<keyof (typeof normNames)["around"], string>> = normNames[config.norms]
  const normed = (rows: Value, place: keyof typeof names): Value => {
    const name = names[place]
    return name === undefined ? rows : norm(config, form, rows, at(name))
  }
  const [q, k, v] = llamaHeads(block, normed(x, "attentionInput"))
  const finish = last ? form.finish : (rows: Value) => rows
  const context = form.attend({ query: q!, key: k!, value: v! }, block)
  const { residualScale } = config
  const attended = linear(form, context, at("self_attn.o_proj"), false, residualScale)
  const middle = g.add(finish(x), normed(attended, "attentionOutput"))
  const [gate, up] = opened(block, normed(middle, "feedForwardInput"))
  const inner = g.mul(activate(g, config.activation, gate), up)
  const fed = linear(form, inner, at("mlp.down_proj"), false, residualScale)
  return g.add(middle, normed(fed, "feedForwardOutput"))
}

/** The two products that open a feed-forward. */
const opened = ({ config, form, index }: Block, x: Value): readonly [gate: Value, up: Value] => {
  const at = (name: string): string => `model.layers.${index}.mlp.${name}`
  if (!config.packed) {
    return [linear(form, x, at("gate_proj"), false), linear(form, x, at("up_proj"), false)]
  }
  const { intermediateSize: inner } = config
  const [gate, up] = form.g.split(linear(form, x, at("gate_up_proj"), false), [inner, inner], 1)
  return [gate!, up!]
}

/** Heads of queries, keys and values `[rows, count, headSize]`, scaled, normalized and turned. */
const llamaHeads = ({ config, form, layer, index }: Block, x: Value): readonly Value[] => {
  const { g, weight, dropout } = form
  const { queryKeyNorms, headSize } = config
  const at = (name: string): string => `model.layers.${index}.self_attn.${name}`
  const counts = [config.heads, config.keyValueHeads, config.keyValueHeads]
  // The factors ride on products, or on the norm behind them
  const factors = [queryKeyNorms === "none" ? layer.scale : 1, 1, 1 / (1 - dropout.attention)]
  const parts = config.packed
    ? g
        .split(
          linear(form, x, at("qkv_proj"), false),
          counts.map((count) => count * headSize),
          1,
        )
        .map((part, kind) => (factors[kind] === 1 ? part : g.mul(part, g.scalar(factors[kind]!))))
    : ["q", "k", "v"].map((part, kind) => linear(form, x, at(`${part}_proj`), false, factors[kind]))
  const turn = layer.rope === undefined ? undefined : rotation(g, layer.rope, form.positions, form.allPositions)
  return parts.map((part, kind) => {
    const heads = (rows: Value): Value => form.heads(rows, counts[kind]!)
    if (kind === 2) return heads(part)
    const factor = kind === 0 ? layer.scale : 1
    const scale = weight(at(kind === 0 ? "q_norm.weight" : "k_norm.weight"))
    const normal = (rows: Value): Value =>
      scale === undefined ? rows : rootMeanSquare(config, form, rows, scale, factor)
    const ready = queryKeyNorms === "whole" ? heads(normal(part)) : normal(heads(part))
    return layer.rope === undefined || turn === undefined ? ready : rotate(g, ready, turn, layer.rope)
  })
}

const families: Readonly<Record<DecoderFamily, Family>> = {
  gpt2: { embed: gpt2Embed, norm: gpt2Norm, block: gpt2Block },
  llama: { embed: llamaEmbed, norm: llamaNorm, block: llamaBlock },
}
