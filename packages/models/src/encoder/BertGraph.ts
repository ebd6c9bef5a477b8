import { type Dims, type Graph, GraphBuilder, type Tensor, tensor, type Value } from "@tandem/onnx"
import { InvalidEncoder, SequenceTooLong } from "../Errors.ts"
import {
  type AttentionChunk,
  attentionChunks,
  encoderPlaces,
  lengthGroupsOf,
  placesOf,
} from "../internal/EncoderPlaces.ts"
import { bertParameters, blockNames } from "./Bert.ts"
import { bertFamilies } from "./BertFamilies.ts"
import {
  type BertConfig,
  type DropoutMask,
  type DropoutRates,
  type EncoderGraph,
  type EncoderShape,
  embeddingSize,
} from "./Encoder.ts"

/** The inputs that a BERT-family encoder takes. */
export const bertInputs = (config: BertConfig): readonly string[] => [
  "input_ids",
  "attention_mask",
  ...(config.typeVocabularySize > 0 ? ["token_type_ids"] : []),
]

/**
 * The encoder for one static shape, as `Encoder.graph` describes it: parameters are inputs in Hugging Face's layout
 * (`[out, in]`), token-wise work is done on `[batch · tokens, hidden]` with `Gemm`, and factors (1/√d of the attention
 * scores, 1/(1 − rate) of dropout) ride on a product's alpha.
 *
 * With `shape.packedRows` the input `packed_rows` `[packedRows] int64` names the places of the batch, `row · tokens +
 * column`, that token-wise work is done on: each real token once, and distinct padding places within the groups' lengths
 * for what is left. With `shape.groups` attention, whose cost grows with the square of the length, is computed group by
 * group. The result at real tokens, and every gradient, is the same; at other places it is arbitrary. With
 * `shape.firstTokens` the last block's queries, and what stands behind its attention, are those of first tokens alone.
 *
 * Dropout sits where Hugging Face's models have it: on the embeddings, the attention probabilities, the attention
 * output (BERT only) and the feed-forward output.
 */
export const bertGraph = (config: BertConfig, shape: EncoderShape): EncoderGraph => {
  const { batch, tokens, dropout = { hidden: 0, attention: 0 } } = shape
  checkShape(config, shape, dropout)
  const g = new GraphBuilder()
  const inputs = declareInputs(g, config, [batch, tokens])
  const places = encoderPlaces(g, shape)
  const weights = new Map(bertParameters(config).map(({ name, dims }) => [name, g.input(name, "float32", dims)]))
  const weight = (name: string): Value => weights.get(name)!
  const masks: DropoutMask[] = []
  const chunks = attentionChunks(shape, config.heads)
  const { hiddenSize, heads } = config
  const headSize = hiddenSize / heads
  const linear: Form["linear"] = (x, name, factor) =>
    g.gemm(x, weight(`${name}.weight`), { c: weight(`${name}.bias`), transB: true, alpha: factor, beta: factor })
  /** Heads of chunks whose texts have so many tokens each, out of their places one after another. */
  const byChunk = (all: Value, lengthOf: (chunk: AttentionChunk) => number): readonly Value[] => {
    const sizes = chunks.map((chunk) => chunk.rows * lengthOf(chunk))
    const parts = chunks.length === 1 ? [all] : g.split(all, sizes, 0)
    return parts.map((part, index) => {
      const chunk = chunks[index]!
      return g.reshape(part, [chunk.rows, lengthOf(chunk), heads, headSize])
    })
  }
  const joined = (contexts: readonly Value[], lengthOf: (chunk: AttentionChunk) => number): Value => {
    const flat = contexts.map((context, index) => {
      const chunk = chunks[index]!
      return g.reshape(context, [chunk.rows * lengthOf(chunk), hiddenSize])
    })
    return g.concat(flat, 0)
  }
  const whole = (chunk: AttentionChunk): number => chunk.tokens
  const width = embeddingSize(config)
  const inPieces = (x: Value, rows: number): readonly Value[] => {
    const sizes = pieceSizes(rows, config.intermediateSize)
    return sizes.length === 1 ? [x] : g.split(x, sizes, 0)
  }
  const every: Span = {
    pick: (x) => x,
    queries: (x) => byChunk(places.toGroups(x, hiddenSize), whole),
    probabilityDims: chunks.map((chunk) => [chunk.rows, heads, chunk.tokens, chunk.tokens]),
    merge: (contexts) => places.fromGroups(joined(contexts, whole)),
    pieces: (x) => inPieces(x, places.rows),
    hiddenDims: [places.rows, hiddenSize],
    unflat: (x) => g.reshape(places.toBatch(x, width), [batch, tokens, width]),
  }
  const firsts: Span = {
    pick: places.firsts,
    queries: (x) => byChunk(x, () => 1),
    probabilityDims: chunks.map((chunk) => [chunk.rows, heads, 1, chunk.tokens]),
    merge: (contexts) => joined(contexts, () => 1),
    pieces: (x) => inPieces(x, batch),
    hiddenDims: [batch, hiddenSize],
    unflat: (x) => g.reshape(x, [batch, 1, width]),
  }
  const form: Form = {
    g,
    weight,
    ids: (value) => places.pick(g.reshape(value, [batch * tokens])),
    addPositions: (x) => places.addPositions(x, weight("embeddings.position_embeddings.weight")),
    maskBias: shape.full === true ? undefined : (mask) => g.reshape(mask, [batch, 1, 1, tokens]),
    heads: (x) => byChunk(places.toGroups(x, hiddenSize), whole),
    chunkBiases: chunks.map((chunk) => (bias) => biasOf(g, bias, chunk, shape)),
    every,
    last: shape.firstTokens === true ? firsts : every,
    linear,
    drop: (x, dims, rate) => {
      if (rate === 0) return x
      const input = `dropout.${masks.length}`
      masks.push({ input, rate })
      return g.where(g.input(input, "bool", dims), x, g.scalar(0))
    },
    dropout,
  }
  const hidden = encode(config, form, inputs)
  return { graph: g.build({ last_hidden_state: hidden }, config.family), dropout: masks }
}

/**
 * Most elements of what a feed-forward layer makes at once: 16 MiB of numbers, which caches hold in part and allocators
 * keep. Of larger blocks every pass over them has to fetch, and often to be given, new memory.
 */
const mostInner = 2 ** 22

/** Sizes of as few and as equal pieces of so many rows as keep a layer of this width below `mostInner`. */
const pieceSizes = (rows: number, width: number): readonly number[] => {
  const count = Math.min(rows, Math.ceil((rows * width) / mostInner))
  return Array.from(
    { length: count },
    (_, index) => Math.floor(((index + 1) * rows) / count) - Math.floor((index * rows) / count),
  )
}

/** A chunk's part of what is added to scores `[batch, 1, 1, tokens]`. */
const biasOf = (g: GraphBuilder, bias: Value, { from, rows, tokens }: AttentionChunk, shape: EncoderShape): Value => {
  const own = rows === shape.batch ? bias : g.slice(bias, 0, from, from + rows)
  return tokens === shape.tokens ? own : g.slice(own, 3, 0, tokens)
}

/**
 * The encoder for any batch and sequence length, with its weights inside, as an exporter would write it: weights of
 * products transposed to `[in, out]` and named `NAME.transposed`, so that each is one MatMul with a constant.
 */
export const bertInferenceGraph = (config: BertConfig, parameters: ReadonlyMap<string, Tensor>): Graph => {
  const parameter = (name: string): Tensor => {
    const value = parameters.get(name)
    if (value === undefined) throw new InvalidEncoder({ message: `the weights lack ${name}`, tensor: name })
    return value
  }
  return anyShape(config, (g) => {
    const made = new Map<string, Value>()
    const stored = (name: string, make: () => Tensor): Value => {
      const known = made.get(name)
      if (known !== undefined) return known
      const value = g.initializer(name, make())
      made.set(name, value)
      return value
    }
    return {
      weight: (name) => stored(name, () => parameter(name)),
      factorOf: (name) => stored(`${name}.transposed`, () => transposed(parameter(name))),
    }
  })
}

/** The encoder for any batch and sequence length, with its weights as inputs, as `Encoder.anyShapeGraph` describes it. */
export const bertAnyShapeGraph = (config: BertConfig): Graph =>
  anyShape(config, (g) => {
    const weights = new Map(bertParameters(config).map(({ name, dims }) => [name, g.input(name, "float32", dims)]))
    const weight = (name: string): Value => weights.get(name)!
    return { weight, factorOf: (name) => g.transpose(weight(name), [1, 0]) }
  })

/** Where a graph has its weights from: as they are, and `[in, out]` for a product from the right. */
interface Weights {
  readonly weight: (name: string) => Value
  readonly factorOf: (name: string) => Value
}

const anyShape = (config: BertConfig, weightsIn: (g: GraphBuilder) => Weights): Graph => {
  const g = new GraphBuilder()
  const inputs = declareInputs(g, config, ["batch", "sequence"])
  const { weight, factorOf } = weightsIn(g)
  const hiddenSize = config.hiddenSize
  const linear: Form["linear"] = (x, name, factor) => {
    const y = g.add(g.matmul(x, factorOf(`${name}.weight`)), weight(`${name}.bias`))
    return factor === 1 ? y : g.mul(y, g.scalar(factor))
  }
  const heads = (x: Value): readonly Value[] => [g.reshape(x, [0, 0, config.heads, hiddenSize / config.heads])]
  const every: Span = {
    pick: (x) => x,
    queries: heads,
    probabilityDims: [[]],
    merge: ([context]) => g.reshape(context!, [0, 0, hiddenSize]),
    pieces: (x) => [x],
    hiddenDims: [],
    unflat: (x) => x,
  }
  const form: Form = {
    g,
    weight,
    addPositions: (x) => {
      const length = g.slice(g.op("Shape", [inputs.ids])[0]!, 0, 1, 2)
      const table = weight("embeddings.position_embeddings.weight")
      const dims = ["sequence", hiddenSize]
      const outputs = [{ type: "float32" as const, dims }]
      return g.add(x, g.op("Slice", [table, g.indices([0]), length, g.indices([0])], { outputs })[0]!)
    },
    maskBias: (mask) => g.unsqueeze(mask, [1, 2]),
    ids: (value) => value,
    heads,
    chunkBiases: [(bias) => bias],
    every,
    last: every,
    linear,
    drop: (x) => x,
    dropout: { hidden: 0, attention: 0 },
  }
  return g.build({ last_hidden_state: encode(config, form, inputs) }, config.family)
}

const checkShape = (config: BertConfig, shape: EncoderShape, dropout: DropoutRates): void => {
  const { batch, tokens } = shape
  const groups = lengthGroupsOf(shape)
  const { packedRows = placesOf(shape) } = shape
  if (tokens > config.maxPositions) {
    throw new SequenceTooLong({
      message: `the model has no positions for ${tokens} tokens`,
      expected: `at most ${config.maxPositions}`,
      found: `${tokens}`,
      hint: "lower the maximum length",
    })
  }
  const whole = [batch, tokens, packedRows].every((size) => Number.isSafeInteger(size) && size > 0)
  const fitting = groups.every((group) => group.rows > 0 && group.tokens > 0 && group.tokens <= tokens)
  const complete = groups.reduce((sum, group) => sum + group.rows, 0) === batch
  const sizes = whole && packedRows <= placesOf(shape) && fitting && complete
  const rates = [dropout.hidden, dropout.attention].every((rate) => rate >= 0 && rate < 1)
  if (!sizes || !rates) {
    throw new InvalidEncoder({
      message: "no graph can be built for this shape",
      expected:
        "whole numbers of rows, tokens and packed rows (at most the groups' places), groups of all rows that are no longer, dropout rates of at least 0 and below 1",
      found: JSON.stringify({ ...shape, dropout }),
    })
  }
}

interface Inputs {
  readonly ids: Value
  readonly mask: Value
  readonly types: Value | undefined
}

const declareInputs = (g: GraphBuilder, config: BertConfig, dims: Dims): Inputs => ({
  ids: g.input("input_ids", "int64", dims),
  mask: g.input("attention_mask", "int64", dims),
  types: config.typeVocabularySize > 0 ? g.input("token_type_ids", "int64", dims) : undefined,
})

/** What differs between a graph of static shapes on flattened rows and one of symbolic shapes. */
interface Form {
  readonly g: GraphBuilder
  readonly weight: (name: string) => Value
  /** Token ids in the layout of token-wise work. */
  readonly ids: (value: Value) => Value
  /** Adds the position embeddings, in that layout. */
  readonly addPositions: (x: Value) => Value
  /** `[batch, tokens]` to `[batch, 1, 1, tokens]`; missing where no token is padding. */
  readonly maskBias: ((mask: Value) => Value) | undefined
  /** Heads of each chunk `[rows, length, heads, hidden / heads]`, out of the layout of token-wise work. */
  readonly heads: (x: Value) => readonly Value[]
  /** Each chunk's part of `[batch, 1, 1, tokens]`. */
  readonly chunkBiases: readonly ((bias: Value) => Value)[]
  readonly every: Span
  /** What the last block computes. */
  readonly last: Span
  /** `factor · (x · Wᵀ + b)` */
  readonly linear: (x: Value, name: string, factor: number) => Value
  /** Sets dropped elements to zero; the scale of the others is the caller's business. */
  readonly drop: (x: Value, dims: Dims, rate: number) => Value
  readonly dropout: DropoutRates
}

/** Tokens that a block is computed at; all of them give keys and values. */
interface Span {
  /** Their rows out of those of all. */
  readonly pick: (x: Value) => Value
  /** Heads of each chunk `[rows, queries, heads, hidden / heads]` out of these rows. */
  readonly queries: (x: Value) => readonly Value[]
  /** By chunk. */
  readonly probabilityDims: readonly Dims[]
  /** From each chunk's `[rows, queries, heads, hidden / heads]` back to rows. */
  readonly merge: (contexts: readonly Value[]) => Value
  /** Their rows in the pieces that the feed-forward layers work on. */
  readonly pieces: (x: Value) => readonly Value[]
  readonly hiddenDims: Dims
  /** From rows to `[batch, tokens, width]`. */
  readonly unflat: (x: Value) => Value
}

/** What is added to the score of a padding token: e to this power is 0, and no sum with a score overflows. */
const masked = 1e9

const encode = (config: BertConfig, form: Form, inputs: Inputs): Value => {
  const { g } = form
  const real = g.cast(inputs.mask, "float32")
  const bias = form.maskBias?.(g.mul(g.sub(real, g.scalar(1)), g.scalar(masked)))
  let x = g.scope("embeddings", () => embed(config, form, inputs))
  for (let layer = 0; layer < config.layers; layer++) {
    const span = layer === config.layers - 1 ? form.last : form.every
    x = g.scope(`layer.${layer}`, () => block({ config, form, span, layer }, x, bias))
  }
  if (config.projectionSize > 0) x = form.linear(x, "encode_proj", 1)
  return form.last.unflat(x)
}

const embed = (config: BertConfig, form: Form, { ids, types }: Inputs): Value => {
  const { g, weight, dropout } = form
  const words = g.gather(weight("embeddings.word_embeddings.weight"), form.ids(ids))
  const typed =
    types === undefined
      ? words
      : g.add(words, g.gather(weight("embeddings.token_type_embeddings.weight"), form.ids(types)))
  const sum = form.addPositions(typed)
  const keep = g.scalar(1 / (1 - dropout.hidden))
  const scaled = (name: string): Value => (dropout.hidden === 0 ? weight(name) : g.mul(weight(name), keep))
  const normal = g.layerNormalization(
    sum,
    scaled("embeddings.LayerNorm.weight"),
    scaled("embeddings.LayerNorm.bias"),
    config.layerNormEpsilon,
  )
  return form.drop(normal, form.every.hiddenDims, dropout.hidden)
}

interface Block {
  readonly config: BertConfig
  readonly form: Form
  readonly span: Span
  readonly layer: number
}

const block = ({ config, form, span, layer }: Block, x: Value, bias?: Value): Value => {
  const { g, linear, drop, dropout } = form
  const names = blockNames(config, layer)
  const norm = (value: Value, name: string): Value =>
    g.layerNormalization(value, form.weight(`${name}.weight`), form.weight(`${name}.bias`), config.layerNormEpsilon)
  const keepHidden = 1 / (1 - dropout.hidden)
  const keepAttention = 1 / (1 - dropout.attention)
  const scale = 1 / Math.sqrt(config.hiddenSize / config.heads)
  const byHead = (grids: readonly Value[]): readonly Value[] => grids.map((grid) => g.transpose(grid, [0, 2, 1, 3]))
  const own = span.pick(x)
  const queries = byHead(span.queries(linear(own, names.query, scale)))
  const keys = byHead(form.heads(linear(x, names.key, 1)))
  const values = byHead(form.heads(linear(x, names.value, keepAttention)))
  const contexts = form.chunkBiases.map((chunkBias, index) => {
    const products = g.matmul(queries[index]!, g.transpose(keys[index]!, [0, 1, 3, 2]))
    const scores = bias === undefined ? products : g.add(products, chunkBias(bias))
    const probabilities = drop(g.softmax(scores, -1), span.probabilityDims[index]!, dropout.attention)
    return g.transpose(g.matmul(probabilities, values[index]!), [0, 2, 1, 3])
  })
  const context = span.merge(contexts)
  const attended = bertFamilies[config.family].dropsAttentionOutput
    ? drop(linear(context, names.attentionOutput, keepHidden), span.hiddenDims, dropout.hidden)
    : linear(context, names.attentionOutput, 1)
  const middle = norm(g.add(attended, own), names.attentionNorm)
  const pieces = span.pieces(middle).map((piece) => {
    const inner = activate(g, config, linear(piece, names.intermediate, 1))
    return linear(inner, names.output, keepHidden)
  })
  const fed = drop(g.concat(pieces, 0), span.hiddenDims, dropout.hidden)
  return norm(g.add(fed, middle), names.outputNorm)
}

const activate = (g: GraphBuilder, config: BertConfig, x: Value): Value => {
  switch (config.activation) {
    case "gelu":
      return g.gelu(x)
    case "gelu_tanh":
      return g.gelu(x, "tanh")
    case "relu":
      return g.relu(x)
  }
}

const transposed = (value: Tensor): Tensor => {
  const [rows = 0, columns = 0] = value.dims
  const { data } = value
  if (!(data instanceof Float32Array)) {
    throw new InvalidEncoder({ message: "weights of products must be float32", found: value.type })
  }
  const result = new Float32Array(data.length)
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = data[row * columns + column]!
  }
  return tensor("float32", [columns, rows], result)
}
