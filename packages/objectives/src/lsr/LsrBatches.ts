import { dualEncoderSampler } from "@tandem/collators"
import type { Encoded } from "@tandem/models"
import { float32 } from "@tandem/onnx"
import { encodeInput, encoderOf, type Towers } from "@tandem/retriever"
import type { Hit } from "@tandem/store"
import type { Batch } from "@tandem/trainers"
import { candidateInputs, candidatePlaces, prefixed } from "../retrieval/CandidateInputs.ts"
import type { CandidateShape } from "../retrieval/CandidateScores.ts"
import { describeShape, encoderBatch } from "../retrieval/EncoderBatch.ts"
import { remembered } from "../retrieval/Remembered.ts"
import { encodingOf, type RetrievalSettings } from "../retrieval/RetrievalSettings.ts"
import type { TaughtCandidate, TaughtQuestion } from "./TaughtQuestion.ts"

/** A question of a batch, before its candidates are known. */
export interface LsrDraft {
  readonly question: TaughtQuestion
  readonly encoded: Encoded
}

/** A candidate with what the teacher says of it. */
export interface TaughtHit {
  readonly hit: Hit
  readonly taught: TaughtCandidate
}

/** Questions with their candidates and the teacher's scores. */
export interface LsrBatch extends Batch {
  readonly shape: CandidateShape
}

/** What batches are made of. */
export interface LsrBatchOptions {
  readonly questions: readonly TaughtQuestion[]
  readonly retrieval: RetrievalSettings
  readonly seed: number
  /** Questions in a batch. */
  readonly batchSize: number
  /** Candidates of a question, at most. */
  readonly k: number
  /** `live`: passages are encoded in the step, so that their encoder learns; `frozen`: stored vectors are read. */
  readonly passages: "frozen" | "live"
}

/**
 * The batches of a run. A draft follows from seed and number alone; candidates and what the teacher says of them make it a
 * batch. A question with less than k candidates is filled up in places that are marked as empty and count for nothing.
 */
export const lsrBatches = (towers: Towers, options: LsrBatchOptions) => {
  const { questions, retrieval, seed, batchSize, k, passages } = options
  const sampler = dualEncoderSampler({ count: questions.length, batchSize, seed })
  const query = encoderOf(towers, "query")
  const encoded = remembered((text: string) => encodeInput(query, text, "query", encodingOf(retrieval, "query")))
  const candidates = candidateInputs(towers, retrieval, passages)

  const draft = (index: number): readonly LsrDraft[] =>
    sampler.batchAt(index).indices.map((place) => {
      const question = questions[place]!
      return { question, encoded: encoded(question.query) }
    })

  const complete = (drafts: readonly LsrDraft[], taught: readonly (readonly TaughtHit[])[]): LsrBatch => {
    const rows = drafts.map((_, index) => (taught[index] ?? []).slice(0, k))
    const queries = encoderBatch(
      query,
      drafts.map((each) => each.encoded),
      retrieval.maxLength.query,
    )
    const hits = rows.map((row) => row.map(({ hit }) => hit))
    const read = candidates(hits.map((found) => candidatePlaces(found, k)))
    const count = drafts.length
    const shape: CandidateShape = {
      questions: count,
      k,
      query: queries.shape,
      ...(read.shape === undefined ? {} : { passage: read.shape }),
    }
    const valueAt = (row: readonly TaughtHit[], place: number) => (row[place] ?? row[0])?.taught.value ?? 0
    return {
      key: `${count} x ${k}; ${describeShape(queries.shape)}${read.shape === undefined ? "" : ` + ${describeShape(read.shape)}`}`,
      shape,
      examples: count,
      tensors: {
        ...prefixed("query", queries.tensors),
        ...read.tensors,
        teacher: float32(
          [count, k],
          rows.flatMap((row) => Array.from({ length: k }, (_, place) => valueAt(row, place))),
        ),
        answer_tokens: float32(
          [count],
          rows.map(([first]) => first?.taught.tokens ?? 0),
        ),
        question_weights: float32(
          [count],
          drafts.map(({ question }) => question.weight ?? 1),
        ),
      },
    }
  }
  return { perEpoch: sampler.batchesPerEpoch, draft, complete }
}
