import { bool, int64, type Tensor } from "@tandem/onnx"
import type { BatchStatistics, CollateOptions } from "./DualEncoderBatch.ts"
import type { DualEncoderItem } from "./DualEncoderItem.ts"
import { dualEncoderRows } from "./internal/DualEncoderRows.ts"
import { padRows } from "./internal/PadRows.ts"
import { weightsOf } from "./internal/Weights.ts"
import type { TokenizedText } from "./TokenizedText.ts"

/** Sizes of a batch of one encoder. */
export interface SharedBatchShape {
  readonly queries: number
  readonly passages: number
  /** Rows of the encoder: queries + passages. */
  readonly texts: number
  readonly tokens: number
}

/** What a training step reads whose queries and passages go through one encoder. */
export interface SharedEncoderBatch {
  /**
   * `text.input_ids`, `text.attention_mask`, `text.token_type_ids` `[texts, tokens] int64`, as far as `inputs` names
   * them, the longest text first; `query_rows` `[queries] int64` and `passage_rows` `[passages] int64`, the row of each
   * text; and `excluded` `[queries, passages] bool` and `weights` as `collateDualEncoder` makes them.
   */
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly shape: SharedBatchShape
  /** As of `collateDualEncoder`, but that repeated passages and free rows are no rows of the encoder. */
  readonly statistics: BatchStatistics
}

/**
 * Lays queries and passages out for in-batch training of one encoder that serves both: all texts are rows of one batch,
 * sorted by length. A passage that stands in the batch several times is encoded once, and counts as often as it stands;
 * what that leaves of the rows holds one padding token each. Loss and gradient are those of `collateDualEncoder`.
 *
 * @throws InvalidBatch as `collateDualEncoder`
 */
export const collateSharedEncoder = (
  items: readonly DualEncoderItem[],
  options: Omit<CollateOptions, "passage">,
): SharedEncoderBatch => {
  const { rows, present, filler, excluded } = dualEncoderRows(items, options.hardNegatives)
  const passages = new Map([...present].reverse().map(({ id, text }) => [id, text]))
  const distinct = [...items.map(({ query }) => query), ...passages.values()]
  const texts = items.length + rows.length
  const padding: TokenizedText = { ids: [options.padTokenId] }
  const free = texts - distinct.length
  const sorted = [
    ...distinct.toSorted((a, b) => b.ids.length - a.ids.length),
    ...Array<TokenizedText>(free).fill(padding),
  ]
  const rowOf = new Map(sorted.map((text, row) => [text, row]))
  const numbers = (wanted: readonly TokenizedText[]): Tensor =>
    int64(
      [wanted.length],
      wanted.map((text) => rowOf.get(text) ?? 0),
    )
  const { tensors, tokens, realTokens } = padRows("text", sorted, options)
  return {
    tensors: {
      ...tensors,
      query_rows: numbers(items.map(({ query }) => query)),
      passage_rows: numbers(rows.map((row) => passages.get((row ?? filler).id) ?? filler.text)),
      excluded: bool([items.length, rows.length], excluded),
      ...weightsOf(items, options),
    },
    shape: { queries: items.length, passages: rows.length, texts, tokens },
    statistics: {
      realTokens: realTokens - free,
      paddedTokens: texts * tokens - realTokens + free,
      duplicatePassages: present.length - passages.size,
      freeRows: rows.length - present.length,
      excludedPairs: excluded.filter(Boolean).length - (rows.length - present.length) * items.length,
    },
  }
}
