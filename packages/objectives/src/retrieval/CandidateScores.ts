import { unitRows } from "@tandem/losses"
import { type EncoderShape, embeddingSize, type ModelError } from "@tandem/models"
import type { GraphBuilder, Value } from "@tandem/onnx"
import { encoderOf, type Towers } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import type { MaskInput } from "@tandem/trainers"
import { Effect } from "effect"
import { callEncoder } from "./CallEncoder.ts"
import type { RetrievalSettings } from "./RetrievalSettings.ts"

/** The shapes of questions with their candidates. */
export interface CandidateShape {
  readonly questions: number
  /** Places of each question's candidates. */
  readonly k: number
  readonly query: EncoderShape
  /** Where passages are encoded in the step; absent where their stored vectors are read. */
  readonly passage?: EncoderShape
}

/** Questions compared with their candidates within a program. */
export interface ScoredCandidates {
  /** `[questions, k] f32`: similarities, before any temperature. */
  readonly scores: Value
  /** `[questions, k] bool` */
  readonly present: Value
  /** `[] f32`: the mean length of the questions' embeddings, as pooled. */
  readonly queryNorm: Value
  readonly masks: readonly MaskInput[]
}

/**
 * Puts a batch's questions into a program, encoded with gradient and compared with their candidates (`candidateInputs`):
 * the vectors that the store holds, which are constants, or passages that are encoded in the step.
 */
export const candidateScores = Effect.fnUntraced(function* (
  g: GraphBuilder,
  towers: Towers,
  shape: CandidateShape,
  { similarity, dropout }: Pick<RetrievalSettings, "similarity"> & { readonly dropout: "model" | number },
): Effect.fn.Return<ScoredCandidates, ModelError, Runtime> {
  const { questions, k } = shape
  const { embeddings, masks } = yield* callEncoder(g, towers, {
    side: "query",
    prefix: "query",
    shape: shape.query,
    similarity,
    dropout,
  })
  const width = embeddingSize(encoderOf(towers, "passage").config)
  const live =
    shape.passage === undefined
      ? undefined
      : yield* callEncoder(g, towers, { side: "passage", prefix: "passage", shape: shape.passage, similarity, dropout })
  const unit = (x: Value): Value => (similarity === "cosine" ? unitRows(g, x) : x)
  const vectors =
    live === undefined
      ? g.input("passages", "float32", [questions, k, width])
      : g.reshape(unit(live.embeddings), [questions, k, width])
  const squares = g.reduceSum(g.mul(embeddings, embeddings), [1], false)
  return {
    scores: g.squeeze(g.matmul(vectors, g.unsqueeze(unit(embeddings), [2])), [2]),
    present: g.input("present", "bool", [questions, k]),
    queryNorm: g.reduceMean(g.sqrt(squares), [0], false),
    masks: [...masks, ...(live?.masks ?? [])],
  }
})
