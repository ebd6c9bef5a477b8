import { type DropoutRates, type Encoder, type EncoderShape, type ModelError, type Pooling, pool } from "@tandem/models"
import type { GraphBuilder, Similarity, Value } from "@tandem/onnx"
import { encoderOf, type Side, type Towers, towerName } from "@tandem/retriever"
import type { Runtime } from "@tandem/runtime"
import { dropoutRate, type MaskInput } from "@tandem/trainers"
import { Effect } from "effect"

/** How a tower is put into a program. */
export interface EncoderCall {
  readonly side: Side
  /** The batch's tensors are inputs under `prefix.NAME`. */
  readonly prefix: string
  readonly shape: EncoderShape
  /** Under `cosine` embeddings are as pooled: the similarity scales them to unit length itself. */
  readonly similarity: Similarity
  /** A rate for both kinds of dropout, or those of the model's own config. */
  readonly dropout: "model" | number
}

/** Texts' embeddings within a program. */
export interface EncodedTexts {
  /** `[texts, width] f32` */
  readonly embeddings: Value
  readonly masks: readonly MaskInput[]
}

/**
 * Puts one side's encoder into a program, with its pooling behind it: weights are inputs under their joint names, which are
 * the same for both sides of a shared tower.
 */
export const callEncoder = Effect.fnUntraced(function* (
  g: GraphBuilder,
  towers: Towers,
  { side, prefix, shape, similarity, dropout: asked }: EncoderCall,
): Effect.fn.Return<EncodedTexts, ModelError, Runtime> {
  const encoder = encoderOf(towers, side)
  const dropout = ratesOf(encoder, asked)
  const { graph, dropout: sites } = yield* encoder.graph({
    ...shape,
    firstTokens: encoder.pooling.mode === "cls",
    ...(dropout === undefined ? {} : { dropout }),
  })
  const rename = (name: string): string =>
    encoder.parameters.has(name) ? towerName(towers, side, name) : `${prefix}.${name}`
  const { inputs, outputs } = g.scope(prefix, () => g.callWithInputs(graph, rename))
  const pooling: Pooling = similarity === "cosine" ? { ...encoder.pooling, normalize: false } : encoder.pooling
  return {
    embeddings: pool(g, outputs["last_hidden_state"]!, inputs["attention_mask"]!, pooling),
    masks: sites.map(({ input, rate }) => ({ input: `${prefix}.${input}`, rate })),
  }
})

/** Rates that masks can be drawn for; undefined where there is no dropout or the model is a file without any. */
const ratesOf = (encoder: Encoder, dropout: "model" | number): DropoutRates | undefined => {
  const { hidden, attention } = dropout === "model" ? encoder.config.dropout : { hidden: dropout, attention: dropout }
  const rates = { hidden: dropoutRate(hidden), attention: dropoutRate(attention) }
  return encoder.source.kind === "onnx" || (rates.hidden === 0 && rates.attention === 0) ? undefined : rates
}
