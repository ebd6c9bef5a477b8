import { type Dims, type Graph, GraphBuilder, type Tensor, type Value } from "@tandem/onnx"
import type { DecoderConfig, DecoderGraph, DecoderLayer, DecoderShape } from "./Decoder.ts"
import { decoderParameters, embeddingsName, normNames, outputName } from "./DecoderParameters.ts"
import type { DropoutMask, DropoutRates } from "./Encoder.ts"
import { InvalidLanguageModel, SequenceTooLong } from "./Errors.ts"
import { activate, fusedRmsNormalization, rmsNormalization } from "./internal/Blocks.ts"
import { maskPositions, tokenRows } from "./internal/TokenRows.ts"
import { rotate, rotation } from "./Rope.ts"

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

/**
 * The decoder for any batch and length with its weights inside, in the layout that transformers.js and optimum use:
 * `input_ids` and `position_ids` `[batch, length]`, `attention_mask` `[batch, past + length]` (all int64), and for each
 * layer N `past_key_values.N.key` and `.value` `[batch, keyValueHeads, past, headSize]`; outputs `logits`
 * `[batch, length, vocabulary]`, `present.N.key` and `present.N.value`, which are the past of the next step. Weights keep
 * Hugging Face's names and layout.
 */
export const decoderInferenceGraph = (config: DecoderConfig, parameters: ReadonlyMap<string, Tensor>): Graph => {
  const g = new GraphBuilder()
  const [ids, mask, positions] = [
    g.input("input_ids", "int64", ["batch_size", "sequence_length"]),
    g.input("attention_mask", "int64", ["batch_size", "total_sequence_length"]),
    g.input("position_ids", "int64", ["batch_size", "sequence_length"]),
  ]
  const { heads, keyValueHeads, headSize } = config
  const past = config.layers.map((_, layer) =>
    ["key", "value"].map((kind) =>
      g.input(`past_key_values.${layer}.${kind}`, "float32", [
        "batch_size",
        keyValueHeads,
        "past_sequence_length",
        headSize,
      ]),
    ),
  )
  const weights = new Map(
    decoderParameters(config).map(({ name }) => {
      const value = parameters.get(name)
      if (value === undefined) throw new InvalidLanguageModel({ message: `the weights lack ${name}`, tensor: name })
      return [name, g.initializer(name, value)]
    }),
  )
  const shape = g.op("Shape", [ids!])[0]!
  /** `[batch · length, count · size]` as `[batch, length, count, size]` */
  const unflat = (x: Value, dims: readonly number[]): Value => {
    const outputs = [{ type: "float32" as const, dims: ["batch_size", "sequence_length", ...dims] }]
    return g.op("Reshape", [x, g.concat([shape, g.indices(dims)], 0)], { outputs })[0]!
  }
  const toHeads = (x: Value, count: number): Value => g.transpose(unflat(x, [count, headSize]), [0, 2, 1, 3])
  const presents: Record<string, Value> = {}
  const total = g.gather(g.op("Shape", [mask!])[0]!, g.constant(whole(1)))
  const length = g.gather(shape, g.constant(whole(1)))
  const range = (from: Value, to: Value): Value => g.op("Range", [from, to, g.constant(whole(1))])[0]!
  const columns = range(g.constant(whole(0)), total)
  const own = g.unsqueeze(range(g.sub(total, length), total), [1])
  const real = g.unsqueeze(g.cast(mask!, "bool"), [1, 2])
  const visible = (window: number | undefined): Value => {
    const before = g.lessOrEqual(columns, own)
    if (window === undefined) return before
    return g.op("And", [before, g.greater(columns, g.sub(own, g.constant(whole(window))))])[0]!
  }
  const form: Form = {
    g,
    weight: (name) => weights.get(name),
    ids: g.reshape(ids!, [-1]),
    positions: g.reshape(positions!, [-1]),
    allPositions: positions!,
    training: false,
    heads: (x, count) => g.reshape(x, [-1, count, headSize]),
    attend: (query, key, value, layer, index) => {
      const [k, v] = [key, value].map((x, part) => {
        const outputs = [
          {
            type: "float32" as const,
            dims: ["batch_size", keyValueHeads, "total_sequence_length", headSize] as Dims,
          },
        ]
        const all = g.op("Concat", [past[index]![part], toHeads(x, keyValueHeads)], {
          attributes: { axis: { kind: "int", value: 2 } },
          outputs,
        })[0]!
        presents[`present.${index}.${part === 0 ? "key" : "value"}`] = all
        return all
      })
      const q = g.reshape(toHeads(query, heads), [0, keyValueHeads, -1, headSize])
      const products = capped(g, g.matmul(q, g.transpose(k!, [0, 1, 3, 2])), config.scoreCap)
      const scores = g.reshape(products, [0, heads, -1, 0])
      const allowed = g.op("And", [visible(layer.window), real])[0]!
      const probabilities = g.softmax(g.where(allowed, scores, g.scalar(-masked)), -1)
      const context = g.matmul(g.reshape(probabilities, [0, keyValueHeads, -1, 0]), v!)
      const merged = g.transpose(g.reshape(context, [0, heads, -1, headSize]), [0, 2, 1, 3])
      return g.reshape(merged, [-1, heads * headSize])
    },
    finish: (x) => x,
    drop: (x) => x,
    dropout: { hidden: 0, attention: 0 },
  }
  const { logits } = decode(config, form)
  return g.build({ logits: unflat(logits, [config.vocabularySize]), ...presents }, config.family)
}

const whole = (value: number): Tensor => ({ type: "int64", dims: [], data: BigInt64Array.of(BigInt(value)) })

const checkShape = (config: DecoderConfig, shape: DecoderShape, dropout: DropoutRates): void => {
  const { batch, tokens, packedRows = batch * tokens, logitRows = batch * tokens } = shape
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

const capped = (g: GraphBuilder, x: Value, cap: number | undefined): Value =>
  cap === undefined ? x : g.mul(g.tanh(g.mul(x, g.scalar(1 / cap))), g.scalar(cap))

/** What is added to the score of a token that must not be seen: e to this power is 0, and no sum with a score overflows. */
const masked = 1e9

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

/** What differs between a graph of static shapes and one of symbolic shapes; both work on rows `[rows, width]`. */
interface Form {
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
  /** Attention over heads `[rows, count, headSize]`; gives `[rows, heads · headSize]`. */
  readonly attend: (query: Value, key: Value, value: Value, layer: DecoderLayer, index: number) => Value
  /** Of rows those that logits are computed at. */
  readonly finish: (x: Value) => Value
  /** Sets dropped elements to zero; the scale of the others is the caller's business. */
  readonly drop: (x: Value, dims: Dims | undefined, rate: number) => Value
  readonly dropout: DropoutRates
}

const decode = (config: DecoderConfig, form: Form): { readonly logits: Value; readonly hidden: Value } => {
  const { g } = form
  const block = config.family === "gpt2" ? gpt2Block : llamaBlock
  let x = g.scope("embeddings", () => embed(config, form))
  for (const [index, layer] of config.layers.entries()) {
    const last = index === config.layers.length - 1
    x = g.scope(`layer.${index}`, () => block({ config, form, layer, index, last }, x))
  }
  const name = config.family === "gpt2" ? "transformer.ln_f" : "model.norm"
  const hidden = norm(config, form, x, name)
  const logits = g.scope("vocabulary", () =>
    g.gemm(hidden, form.weight(outputName(config))!, { transB: true, alpha: config.logitScale }),
  )
  return { logits: capped(g, logits, config.logitCap), hidden }
}

const embed = (config: DecoderConfig, form: Form): Value => {
  const { g, weight, dropout } = form
  const words = g.gather(weight(embeddingsName(config))!, form.ids)
  if (config.family !== "gpt2") {
    return config.embeddingScale === 1 ? words : g.mul(words, g.scalar(config.embeddingScale))
  }
  const sum = g.add(words, g.gather(weight("transformer.wpe.weight")!, form.positions))
  if (dropout.hidden === 0) return sum
  return form.drop(g.mul(sum, g.scalar(1 / (1 - dropout.hidden))), undefined, dropout.hidden)
}

const norm = (config: DecoderConfig, form: Form, x: Value, name: string): Value => {
  const { g, weight } = form
  const scale = weight(`${name}.weight`)!
  return config.family === "gpt2"
    ? g.layerNormalization(x, scale, weight(`${name}.bias`), config.normEpsilon)
    : rootMeanSquare(config, form, x, scale)
}

const rootMeanSquare = (config: DecoderConfig, { g, training }: Form, x: Value, weight: Value, factor = 1): Value => {
  const { normEpsilon, normOffset } = config
  const offset = normOffset === 0 ? weight : g.add(weight, g.scalar(normOffset))
  const scale = factor === 1 ? offset : g.mul(offset, g.scalar(factor))
  return (training ? fusedRmsNormalization : rmsNormalization)(g, x, scale, normEpsilon)
}

interface Block {
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

const gpt2Block = ({ config, form, layer, index, last }: Block, x: Value): Value => {
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
  const context = finish(form.attend(q!, k!, v!, layer, index))
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
  const context = finish(form.attend(q!, k!, v!, block.layer, index))
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
