import {
  type Encoded,
  type Encoder,
  embeddingSize,
  encoderInputs,
  InvalidEncoder,
  InvalidTokenizer,
  type ModelError,
  type Pooling,
  pad,
  pooledGraph,
  SequenceTooLong,
} from "@tandem/models"
import { quantizeDynamic, type Similarity, type Value } from "@tandem/onnx"
import { type Feed, placeWeights, RunFailed, Runtime } from "@tandem/runtime"
import { Effect, type Scope, Semaphore } from "effect"
import { type BatchPlan, planBatches } from "./internal/Batches.ts"
import { defaultTitles, type EncoderInput, encodeInput, type RenderOptions, type TextKind } from "./PassageText.ts"
import type { Tower } from "./Towers.ts"

export interface TextEncoderOptions extends RenderOptions {
  /** Most texts of one run; fewer where they are longer than 64 tokens, so that a run has at most 2048. 32 where absent. */
  readonly batchSize?: number
  /**
   * `cosine` scales every vector to unit length, whatever the encoder's own files say, so that an inner product is the
   * cosine; otherwise the encoder's own pooling decides.
   */
  readonly similarity?: Similarity
  /** `q8` computes with weights of 8 bits, as the model files of that name hold them, where weights are plain tensors; `fp32` where absent. */
  readonly precision?: "fp32" | "q8"
}

/** How much was encoded. */
export interface EncodeCounts {
  readonly texts: number
  /** Texts that were longer than the maximum length and were cut. */
  readonly truncated: number
  /** Tokens of the texts. */
  readonly tokens: number
  /** Tokens that were run, padding included. */
  readonly paddedTokens: number
}

/** Hears of each run of a call: how many of its texts are done, and what they held. */
export type OnEncodeProgress = (done: number, total: number, counts: EncodeCounts) => void

/** Turns texts into embeddings with one tower. */
export interface TextEncoder {
  readonly dimension: number
  /** `[inputs.length, dimension]` f32, row-major, in the order of the inputs. */
  readonly encode: (
    inputs: readonly EncoderInput[],
    kind: TextKind,
    onProgress?: OnEncodeProgress,
  ) => Effect.Effect<Float32Array, ModelError>
  /** The same of texts that are token ids already, as `tokenizeTexts` makes them with this encoder's options. */
  readonly encodeTokens: (
    texts: readonly Encoded[],
    onProgress?: OnEncodeProgress,
  ) => Effect.Effect<Float32Array, ModelError>
  /** What was encoded since the text encoder was made. */
  readonly statistics: Effect.Effect<EncodeCounts>
}

/** How many texts are tokenized before other work gets a turn. */
const tokenizeSlice = 256

/**
 * A text encoder over a tower, alive as long as the scope. Weights that are plain tensors become part of the compiled
 * graph; resident buffers are read where they are, so that later changes to them show in later embeddings.
 *
 * One graph is compiled, for every shape. Texts are batched by length and padded to the longest of their batch. The same
 * text gives the same embedding alone and in any batch, up to rounding.
 *
 * A weight that is missing or has another shape ends in `InvalidEncoder`, a maximum length beyond the model's
 * positions in `SequenceTooLong`.
 */
export const makeTextEncoder = Effect.fnUntraced(function* (
  tower: Tower,
  options: TextEncoderOptions = {},
): Effect.fn.Return<TextEncoder, ModelError, Runtime | Scope.Scope> {
  const { encoder } = tower
  const { batchSize = 32, titles = defaultTitles(encoder), maxLength = encoder.maxLength } = options
  yield* checkOptions(encoder, batchSize, maxLength)
  const dimension = embeddingSize(encoder.config)
  const pooling = poolingFor(encoder, options.similarity)
  const parameters = [...encoder.parameters].map(([name, { type, dims }]): Value => ({ name, type, dims }))
  const most = options.precision === "q8" ? Number.POSITIVE_INFINITY : undefined
  const { into, feeds } = yield* placeWeights(parameters, tower.weights, misfit, most)
  const runtime = yield* Runtime
  const graph = pooledGraph(yield* encoder.anyShapeGraph, pooling)
  const whole = into(graph)
  const executable = yield* runtime.compile(options.precision === "q8" ? quantizeDynamic(whole) : whole)
  // One run at a time: what runs at once would share the processor, and need the memory of all.
  const turn = yield* Semaphore.make(1)
  let total = nothing

  const run = Effect.fnUntraced(function* (
    { members, tokens }: BatchPlan,
    texts: readonly Encoded[],
  ): Effect.fn.Return<Float32Array, ModelError> {
    const rows = members.map((index) => texts[index]!)
    const batch = encoderInputs(pad(rows, encoder.config.padTokenId, tokens), encoder.inputs)
    const { sentence_embedding: result } = yield* executable.run({ ...feeds, ...batch })
    if (result?.data instanceof Float32Array && `${result.dims}` === `${[rows.length, dimension]}`) return result.data
    return yield* new RunFailed({
      message: "the encoder gave embeddings of another shape than its config says",
      expected: `float32[${rows.length},${dimension}]`,
      found: `${result?.type}[${result?.dims}]`,
    })
  })

  const encodeTokens: TextEncoder["encodeTokens"] = Effect.fnUntraced(function* (texts, onProgress) {
    const lengths = texts.map(({ ids }) => ids.length)
    const result = new Float32Array(texts.length * dimension)
    let done = nothing
    for (const plan of planBatches(lengths, batchSize)) {
      const vectors = yield* turn.withPermit(run(plan, texts))
      for (const [row, index] of plan.members.entries()) {
        result.set(vectors.subarray(row * dimension, (row + 1) * dimension), index * dimension)
      }
      const counts = countsOf(plan, texts)
      done = sum(done, counts)
      total = sum(total, counts)
      onProgress?.(done.texts, texts.length, done)
    }
    return result
  })

  const encode: TextEncoder["encode"] = (inputs, kind, onProgress) =>
    Effect.flatMap(tokenizeTexts(encoder, inputs, kind, { titles, maxLength }), (texts) =>
      encodeTokens(texts, onProgress),
    )

  return { dimension, encode, encodeTokens, statistics: Effect.sync(() => total) }
})

/** `encodeInput` of each, in between which other work gets its turns. A text that cannot be cut ends in `InvalidTokenizer`. */
export const tokenizeTexts = Effect.fnUntraced(function* (
  encoder: Encoder,
  inputs: readonly EncoderInput[],
  kind: TextKind,
  options: RenderOptions = {},
): Effect.fn.Return<readonly Encoded[], InvalidTokenizer> {
  const texts: Encoded[] = []
  for (const input of inputs) {
    if (texts.length % tokenizeSlice === tokenizeSlice - 1) yield* Effect.yieldNow
    texts.push(yield* attemptToEncode(() => encodeInput(encoder, input, kind, options)))
  }
  return texts
})

/** How token embeddings become the vectors that are compared: under cosine of unit length, whatever the encoder says. */
export const poolingFor = ({ pooling }: Encoder, similarity: Similarity | undefined): Pooling =>
  similarity === "cosine" ? { ...pooling, normalize: true } : pooling

const nothing: EncodeCounts = { texts: 0, truncated: 0, tokens: 0, paddedTokens: 0 }

const countsOf = ({ members, tokens }: BatchPlan, texts: readonly Encoded[]): EncodeCounts => ({
  texts: members.length,
  truncated: members.filter((index) => texts[index]!.cut > 0).length,
  tokens: members.reduce((count, index) => count + texts[index]!.ids.length, 0),
  paddedTokens: members.length * tokens,
})

const sum = (a: EncodeCounts, b: EncodeCounts): EncodeCounts => ({
  texts: a.texts + b.texts,
  truncated: a.truncated + b.truncated,
  tokens: a.tokens + b.tokens,
  paddedTokens: a.paddedTokens + b.paddedTokens,
})

const checkOptions = (encoder: Encoder, batchSize: number, maxLength: number): Effect.Effect<void, ModelError> => {
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    return Effect.fail(
      new InvalidEncoder({
        message: "texts cannot be encoded in batches of this size",
        field: "batchSize",
        expected: "a whole number of at least 1",
        found: `${batchSize}`,
      }),
    )
  }
  const { maxPositions } = encoder.config
  if (!Number.isSafeInteger(maxLength) || maxLength < 1 || maxLength > maxPositions) {
    return Effect.fail(
      new SequenceTooLong({
        message: `texts cannot be cut to ${maxLength} tokens for this model`,
        field: "maxLength",
        expected: `a whole number from 1 to the model's ${maxPositions} positions`,
        found: `${maxLength}`,
        hint: "choose another maximum length",
      }),
    )
  }
  return Effect.void
}

const misfit = ({ name, type, dims }: Value, weight: Feed | undefined): InvalidEncoder =>
  new InvalidEncoder({
    message: weight === undefined ? `the tower lacks the weight ${name}` : `the weight ${name} does not fit`,
    tensor: name,
    expected: `${type}[${dims}]`,
    found: weight === undefined ? "nothing" : `${weight.type}[${weight.dims}]`,
  })

const attemptToEncode = (body: () => Encoded): Effect.Effect<Encoded, InvalidTokenizer> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (error) {
      return error instanceof InvalidTokenizer ? Effect.fail(error) : Effect.die(error)
    }
  })
