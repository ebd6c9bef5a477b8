import { inBatchDiagnostics, inBatchNll } from "@tandem/losses"
import { type DropoutRates, type Encoder, type EncoderShape, type ModelError, type Pooling, pool } from "@tandem/models"
import { GraphBuilder, type Value } from "@tandem/onnx"
import { encoderOf, type Side, type Towers, towerName } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import { dropoutRate, type MaskInput, type Program } from "@tandem/trainers"
import { Effect } from "effect"
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
  const embed = Effect.fnUntraced(function* (side: Side, prefix: string, sizes: EncoderShape) {
    const encoder = encoderOf(towers, side)
    const dropout = ratesOf(encoder, options.dropout)
    const { graph, dropout: sites } = yield* encoder.graph({
      ...sizes,
      firstTokens: encoder.pooling.mode === "cls",
      ...(dropout === undefined ? {} : { dropout }),
    })
    const rename = (name: string): string =>
      encoder.parameters.has(name) ? towerName(towers, side, name) : `${prefix}.${name}`
    for (const { input, rate } of sites) masks.push({ input: `${prefix}.${input}`, rate })
    const { inputs, outputs } = g.scope(prefix, () => g.callWithInputs(graph, rename))
    const pooling: Pooling =
      options.similarity === "cosine" ? { ...encoder.pooling, normalize: false } : encoder.pooling
    return pool(g, outputs["last_hidden_state"]!, inputs["attention_mask"]!, pooling)
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
  const { similarity, temperature, symmetric } = options
  const inputs = { queries, passages, excluded, ...(weighted && { weights: g.input("weights", "float32", [count]) }) }
  const { loss, scores } = inBatchNll(g, inputs, { similarity, temperature, symmetric })
  const { accuracy } = inBatchDiagnostics(g, scores, excluded)
  return {
    graph: g.build({ loss, accuracy }, "dpr"),
    loss: "loss",
    dropout: masks,
  }
})

/** Rates that masks can be drawn for; undefined where there is no dropout or the model is a file without any. */
const ratesOf = (encoder: Encoder, dropout: "model" | number): DropoutRates | undefined => {
  const { hidden, attention } = dropout === "model" ? encoder.config.dropout : { hidden: dropout, attention: dropout }
  const rates = { hidden: dropoutRate(hidden), attention: dropoutRate(attention) }
  return encoder.source.kind === "onnx" || (rates.hidden === 0 && rates.attention === 0) ? undefined : rates
}
