import { type EncoderShape, embeddingSize } from "@tandem/models"
import { bool, float32, type Tensor } from "@tandem/onnx"
import { encodeInput, encoderOf, type Towers } from "@tandem/retriever"
import type { Hit } from "@tandem/store"
import { encoderBatch } from "./EncoderBatch.ts"
import { encodingOf, type RetrievalSettings } from "./RetrievalSettings.ts"

/** The places of a question's candidates: where fewer were found than there are, its best one fills them up. */
export interface CandidatePlaces {
  /** What stands at each place; undefined where nothing was found. */
  readonly found: readonly (Hit | undefined)[]
  /** True where a candidate of its own stands. */
  readonly present: readonly boolean[]
}

/** What was found for a question, in `k` places. */
export const candidatePlaces = (found: readonly Hit[], k: number): CandidatePlaces => {
  const places = Array.from({ length: k }, (_, index) => found[index] ?? found[0])
  return { found: places, present: places.map((_, index) => index < found.length) }
}

/** Candidates as inputs of a program. */
export interface CandidateInputs {
  /** `present` `[questions, k] bool`, and the stored vectors or the passages' own tokens. */
  readonly tensors: Readonly<Record<string, Tensor>>
  /** Where passages are encoded in the step; absent where their stored vectors are read. */
  readonly shape: EncoderShape | undefined
}

/**
 * How a batch's candidates become inputs: `frozen` ones as `passages` `[questions, k, width] f32`, what the store holds;
 * `live` ones tokenized, to be encoded in the step, under `passage.NAME`. All questions have equally many places.
 */
export const candidateInputs = (
  towers: Towers,
  retrieval: RetrievalSettings,
  passages: "frozen" | "live",
): ((groups: readonly CandidatePlaces[]) => CandidateInputs) => {
  const encoder = encoderOf(towers, "passage")
  const encoding = encodingOf(retrieval, "passage")
  const encoded = (hit: Hit | undefined) => {
    const { text, title } = hit?.passage ?? { text: "", title: undefined }
    return encodeInput(encoder, { text, title }, "passage", encoding)
  }
  return (groups) => {
    const hits = groups.flatMap(({ found }) => found)
    const k = hits.length / groups.length
    const marks = groups.flatMap(({ present }) => present)
    const present = bool([groups.length, k], marks)
    if (passages === "frozen") {
      const width = embeddingSize(encoder.config)
      return { tensors: { passages: storedVectors(hits, [groups.length, k, width]), present }, shape: undefined }
    }
    const { tensors, shape } = encoderBatch(encoder, hits.map(encoded), retrieval.maxLength.passage)
    return { tensors: { ...prefixed("passage", tensors), present }, shape }
  }
}

const storedVectors = (hits: readonly (Hit | undefined)[], dims: readonly [number, number, number]): Tensor => {
  const width = dims[2]
  const all = new Float32Array(hits.length * width)
  for (const [index, hit] of hits.entries()) if (hit?.vector !== undefined) all.set(hit.vector, index * width)
  return float32(dims, all)
}

/** Tensors under `PREFIX.NAME`. */
export const prefixed = (prefix: string, tensors: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>> =>
  Object.fromEntries(Object.entries(tensors).map(([name, value]) => [`${prefix}.${name}`, value]))
