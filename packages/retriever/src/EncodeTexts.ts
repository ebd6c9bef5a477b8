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
import { type Buffer, type Executable, type Feed, RunFailed, Runtime } from "@tandem/runtime"
import { Duration, Effect, Exit, type Scope, ScopedCache, Semaphore } from "effect"
import { type BatchPlan, planBatches } from "./internal/Batches.ts"
import { defaultTitles, type EncoderInput, encodeInput, type RenderOptions, type TextKind } from "./PassageText.ts"
import type { Tower } from "./Towers.ts"

/** How embeddings are compared, in training and in search. */
export type EmbeddingSimilarity = "dot" | "cosine"

export interface TextEncoderOptions extends RenderOptions {
  /** Most texts of one run; fewer where they are longer than 64 tokens, so that a run has at most 2048. 32 where absent. */
  readonly batchSize?: number
  /**
   * `cosine` scales every vector to unit length, whatever the encoder's own files say, so that an inner product is the
   * cosine; otherwise the encoder's own pooling decides.
   */
  readonly similarity?: EmbeddingSimilarity
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

/** What a text encoder has done since it was made. */
export interface EncodeStatistics extends EncodeCounts {
  /** Graphs that were compiled. */
  readonly compiled: number
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
  readonly statistics: Effect.Effect<EncodeStatistics>
}

/**
 * Compiled shapes that are alive at once; the one that was used longest ago is released for a new one. Each keeps the
 * memory of its largest values (a hundred MiB for MiniLM), while compiling takes some tens of milliseconds, and a call
 * goes through its shapes in order.
 */
export const maxCompiledShapes = 4

/** How many texts are tokenized before other work gets a turn. */
const tokenizeSlice = 256

/**
 * A text encoder over a tower, alive as long as the scope. Weights that are plain tensors are uploaded once; resident
 * buffers are read where they are, so that later changes to them show in later embeddings.
 *
 * Texts are batched by length and padded to a few widths; one graph is compiled for each shape that comes up, with the
 * weights as inputs. The same text gives the same embedding alone and in any batch, up to rounding.
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
  const weights = yield* residentWeights(tower)
  const dimension = embeddingSize(encoder.config)
  const pooling: Pooling = options.similarity === "cosine" ? { ...encoder.pooling, normalize: true } : encoder.pooling
  let total = nothing
  let compiled = 0
  const runtime = yield* Runtime

  const compile = Effect.fnUntraced(function* (
    shape: string,
  ): Effect.fn.Return<Executable, ModelError, Runtime | Scope.Scope> {
    const [batch = 0, tokens = 0] = shape.split("x").map(Number)
    const { graph } = yield* encoder.graph({ batch, tokens })
    compiled++
    return yield* runtime.compile(pooledGraph(graph, pooling))
  })
  const executables = yield* ScopedCache.makeWith({
    lookup: compile,
    capacity: maxCompiledShapes,
    timeToLive: (exit) => (Exit.isSuccess(exit) ? Duration.infinity : Duration.zero),
  })
  // One run at a time: the runtime has one thread, and no executable is released while it runs.
  const turn = yield* Semaphore.make(1)

  const run = Effect.fnUntraced(function* (
    plan: BatchPlan,
    texts: readonly Encoded[],
  ): Effect.fn.Return<Float32Array, ModelError> {
    const { rows, tokens, members } = plan
    const executable = yield* ScopedCache.get(executables, `${rows}x${tokens}`)
    // Rows beyond the last text repeat it: a row of padding alone has no defined embedding in some models.
    const filled = Array.from({ length: rows }, (_, row) => texts[members[Math.min(row, members.length - 1)]!]!)
    const batch = encoderInputs(pad(filled, encoder.config.padTokenId, tokens), encoder.inputs)
    const { sentence_embedding: result } = yield* executable.run({ ...weights, ...batch })
    if (result?.data instanceof Float32Array && `${result.dims}` === `${[rows, dimension]}`) return result.data
    return yield* new RunFailed({
      message: "the encoder gave embeddings of another shape than its config says",
      expected: `float32[${rows},${dimension}]`,
      found: `${result?.type}[${result?.dims}]`,
    })
  })

  const tokenize = Effect.fnUntraced(function* (
    inputs: readonly EncoderInput[],
    kind: TextKind,
  ): Effect.fn.Return<readonly Encoded[], ModelError> {
    const texts: Encoded[] = []
    for (const input of inputs) {
      if (texts.length % tokenizeSlice === tokenizeSlice - 1) yield* Effect.yieldNow
      texts.push(yield* attemptToEncode(() => encodeInput(encoder, input, kind, { titles, maxLength })))
    }
    return texts
  })

  const encode: TextEncoder["encode"] = Effect.fnUntraced(function* (inputs, kind, onProgress) {
    const texts = yield* tokenize(inputs, kind)
    const lengths = texts.map(({ ids }) => ids.length)
    const result = new Float32Array(inputs.length * dimension)
    let done = nothing
    for (const plan of planBatches(lengths, { batchSize, maxLength })) {
      const vectors = yield* turn.withPermit(run(plan, texts))
      for (const [row, index] of plan.members.entries()) {
        result.set(vectors.subarray(row * dimension, (row + 1) * dimension), index * dimension)
      }
      const counts = countsOf(plan, texts)
      done = sum(done, counts)
      total = sum(total, counts)
      onProgress?.(done.texts, inputs.length, done)
    }
    return result
  })

  return { dimension, encode, statistics: Effect.sync(() => ({ ...total, compiled })) }
})

const nothing: EncodeCounts = { texts: 0, truncated: 0, tokens: 0, paddedTokens: 0 }

const countsOf = ({ members, rows, tokens }: BatchPlan, texts: readonly Encoded[]): EncodeCounts => ({
  texts: members.length,
  truncated: members.filter((index) => texts[index]!.cut > 0).length,
  tokens: members.reduce((count, index) => count + texts[index]!.ids.length, 0),
  paddedTokens: rows * tokens,
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

/** Every parameter of the encoder as a resident buffer. */
const residentWeights = Effect.fnUntraced(function* ({
  encoder,
  weights,
}: Tower): Effect.fn.Return<Readonly<Record<string, Buffer>>, ModelError, Runtime | Scope.Scope> {
  const runtime = yield* Runtime
  const resident: Record<string, Buffer> = {}
  for (const [name, { type, dims }] of encoder.parameters) {
    const weight: Feed | undefined = weights[name]
    if (weight === undefined || weight.type !== type || `${weight.dims}` !== `${dims}`) {
      return yield* new InvalidEncoder({
        message: weight === undefined ? `the tower lacks the weight ${name}` : `the weight ${name} does not fit`,
        tensor: name,
        expected: `${type}[${dims}]`,
        found: weight === undefined ? "nothing" : `${weight.type}[${weight.dims}]`,
      })
    }
    resident[name] = "id" in weight ? weight : yield* runtime.upload(weight)
  }
  return resident
})

const attemptToEncode = (body: () => Encoded): Effect.Effect<Encoded, InvalidTokenizer> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(body())
    } catch (error) {
      return error instanceof InvalidTokenizer ? Effect.fail(error) : Effect.die(error)
    }
  })
