import type { ModelError } from "@tandem/models"
import type { Runtime } from "@tandem/runtime"
import { InvalidVectorError } from "@tandem/store"
import { Effect } from "effect"
import { type EncodeCounts, makeTextEncoder, type OnEncodeProgress, type TextEncoderOptions } from "./EncodeTexts.ts"
import type { EncoderInput, TextKind } from "./PassageText.ts"
import type { Tower } from "./Towers.ts"

export interface EncodeAllOptions extends TextEncoderOptions {
  readonly kind: TextKind
  readonly onProgress?: OnEncodeProgress
}

/** Embeddings of texts. */
export interface Embeddings {
  /** `[inputs.length, dimension]` f32, row-major, every number finite. */
  readonly vectors: Float32Array
  readonly dimension: number
  readonly statistics: EncodeCounts
}

/**
 * Embeddings of texts by a text encoder that lives as long as the call. An embedding that is not finite ends in
 * `InvalidVector`, which names its text.
 */
export const encodeAll = (
  tower: Tower,
  inputs: readonly EncoderInput[],
  { kind, onProgress, ...options }: EncodeAllOptions,
): Effect.Effect<Embeddings, ModelError | InvalidVectorError, Runtime> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { dimension, encode, statistics } = yield* makeTextEncoder(tower, options)
      const vectors = yield* encode(inputs, kind, onProgress)
      yield* checkFinite(vectors, inputs, kind)
      return { vectors, dimension, statistics: yield* statistics }
    }),
  )

/** Whether all embeddings of these texts are finite. */
export const checkFinite = (
  vectors: Float32Array,
  inputs: readonly EncoderInput[],
  kind: TextKind,
): Effect.Effect<void, InvalidVectorError> => {
  const at = vectors.findIndex((value) => !Number.isFinite(value))
  if (at < 0) return Effect.void
  const input = inputs[Math.floor((at * inputs.length) / vectors.length)]
  const text = typeof input === "string" ? input : (input?.text ?? "")
  return Effect.fail(
    new InvalidVectorError({
      message: `the embedding of ${kind} ${JSON.stringify(text.slice(0, 60))} is not finite`,
      expected: "finite numbers",
      found: `${vectors[at]}`,
      hint: "the model's weights are damaged, or its training diverged",
    }),
  )
}
