import { inBatchDiagnostics, inBatchNll } from "@tandem/losses"
import type { EncoderShape, ModelError } from "@tandem/models"
import { GraphBuilder, type Value } from "@tandem/onnx"
import type { Side, Towers } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import type { MaskInput, Program } from "@tandem/trainers"
import { Effect } from "effect"
import { callEncoder } from "../retrieval/CallEncoder.ts"
import type { RetrievalSettings } from "../retrieval/RetrievalSettings.ts"

/** The shapes of a batch. */
export interface DprShape {
  readonly queries: number
  /** Positives first, in the order of their questions, then hard negatives. */
  readonly passages: number
  /** Whether batches bring a weight for each question. */
  readonly weighted?: boolean
  /** What the encoders compute: each side its texts, or one encoder those of both sides together. */
  readonly encoders:
    | { readonly query: EncoderShape; readonly passage: EncoderShape }
    | { readonly shared: EncoderShape }
}

/** What decides the program besides the shapes of its batches. */
export interface DprProgramOptions extends Pick<RetrievalSettings, "similarity" | "temperature"> {
  readonly symmetric: boolean
  /** A rate for both kinds of dropout, or those of the model's own config. */
  readonly dropout: "model" | number
}

/**
 * The dual encoder's training program: the batch's texts encoded, pooled, compared and scored by in-batch NLL. Weights of a
 * shared tower are the same inputs for both sides. Outputs `loss` and `accuracy`, the share of questions whose own passage
 * scores highest in the batch.
 */
export const dprProgram = Effect.fnUntraced(function* (
  towers: Towers,
  shape: DprShape,
  options: DprProgramOptions,
): Effect.fn.Return<Program, ModelError, Runtime> {
  const g = new GraphBuilder()
  const masks: MaskInput[] = []
  const { similarity, temperature, symmetric, dropout } = options
  const embed = Effect.fnUntraced(function* (side: Side, prefix: string, sizes: EncoderShape) {
    const texts = yield* callEncoder(g, towers, { side, prefix, shape: sizes, similarity, dropout })
    masks.push(...texts.masks)
    return texts.embeddings
  })
  const { queries: count, passages: candidates, weighted = false, encoders } = shape
  const both = Effect.gen(function* () {
    if ("shared" in encoders) {
      const texts = yield* embed("query", "text", encoders.shared)
      const rows = (name: string, size: number): Value => g.gather(texts, g.input(name, "int64", [size]))
      return { queries: rows("query_rows", count), passages: rows("passage_rows", candidates) }
    }
    const queries = yield* embed("query", "query", encoders.query)
    return { queries, passages: yield* embed("passage", "passage", encoders.passage) }
  })
  const { queries, passages } = yield* both
  const excluded = g.input("excluded", "bool", [count, candidates])
  const inputs = { queries, passages, excluded, ...(weighted && { weights: g.input("weights", "float32", [count]) }) }
  const { loss, scores } = inBatchNll(g, inputs, { similarity, temperature, symmetric })
  const { accuracy } = inBatchDiagnostics(g, scores, excluded)
  return {
    graph: g.build({ loss, accuracy }, "dpr"),
    loss: "loss",
    dropout: masks,
  }
})
