import { bool, type Tensor } from "@tandem/onnx"
import type { Bucket } from "./Buckets.ts"
import type { DualEncoderItem } from "./DualEncoderItem.ts"
import { dualEncoderRows } from "./internal/DualEncoderRows.ts"
import { padRows } from "./internal/PadRows.ts"
import { weightsOf } from "./internal/Weights.ts"

export interface CollateOptions {
  readonly padTokenId: number
  /** Padded length of the query rows, and apart from them of the passage rows, by the longest of each. */
  readonly bucket: Bucket
  /**
   * Passages besides the positive that each query has in the batch, so that P = B · (1 + hardNegatives) whatever the
   * data. A query with fewer leaves rows free; these hold the batch's shortest passage and are excluded for every query,
   * so that the loss and its gradient are those of a batch without them.
   */
  readonly hardNegatives: number
  /** Those of `input_ids`, `attention_mask` and `token_type_ids` that the encoder takes (`Encoder.inputs`). */
  readonly inputs: readonly string[]
  /** Whether the batch brings `weights` (default false): a program either reads them from every batch or from none. */
  readonly weights?: boolean
  /** What the passage encoder takes where it is another one than the queries'; its bucket is theirs where absent. */
  readonly passage?: { readonly padTokenId: number; readonly inputs: readonly string[]; readonly bucket?: Bucket }
}

/** Sizes of a batch. Batches of one shape run on one compiled graph. */
export interface BatchShape {
  readonly queries: number
  readonly queryTokens: number
  readonly passages: number
  readonly passageTokens: number
}

export interface BatchStatistics {
  /** Tokens of queries and passages, without padding; free rows count as padding. */
  readonly realTokens: number
  /** Padding of query and passage rows. */
  readonly paddedTokens: number
  /** Passage rows that repeat the passage of an earlier row; free rows not counted. */
  readonly duplicatePassages: number
  /** Passage rows that were left free because queries brought too few hard negatives. */
  readonly freeRows: number
  /** Pairs of a query and a passage that are masked out; free rows not counted. */
  readonly excludedPairs: number
}

/** What a dual encoder's training step reads. */
export interface DualEncoderBatch {
  /**
   * `query.input_ids`, `query.attention_mask`, `query.token_type_ids` `[queries, queryTokens] int64` and the same under
   * `passage.` as `[passages, passageTokens]`, as far as `inputs` names them,
   * `excluded` `[queries, passages] bool`, and with `CollateOptions.weights` also `weights` `[queries] float32`.
   */
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly shape: BatchShape
  readonly statistics: BatchStatistics
}

/**
 * Lays queries and passages out for in-batch training. Row b of the passages is the positive of query b; the hard
 * negatives follow, those of query 0 first, `hardNegatives` for each.
 *
 * `excluded[b, j]` is true where passage j must not count as a negative of query b though it is not its row's positive:
 * it is its positive, one of its relevant passages, or holds one of its answers (where answers are given); or it has the
 * same tokens as such a passage of the batch under another id; or it only fills a free row. `excluded[b, b]` is always false.
 *
 * A passage that stands in the batch twice is encoded twice and counts twice for queries that it does not answer.
 *
 * @throws InvalidBatch without items, for a text without tokens, for an unknown input, for a weight below 0, and where the bucket is too short
 */
export const collateDualEncoder = (items: readonly DualEncoderItem[], options: CollateOptions): DualEncoderBatch => {
  const { rows, present, filler, excluded } = dualEncoderRows(items, options.hardNegatives)
  const query = padRows(
    "query",
    items.map((item) => item.query),
    options,
  )
  const passage = padRows(
    "passage",
    rows.map((row) => (row ?? filler).text),
    { ...options, ...options.passage },
  )
  const freeRows = rows.length - present.length
  const realTokens = query.realTokens + passage.realTokens - freeRows * filler.text.ids.length
  const shape = {
    queries: items.length,
    queryTokens: query.tokens,
    passages: rows.length,
    passageTokens: passage.tokens,
  }
  return {
    tensors: {
      ...query.tensors,
      ...passage.tensors,
      excluded: bool([items.length, rows.length], excluded),
      ...weightsOf(items, options),
    },
    shape,
    statistics: {
      realTokens,
      paddedTokens: shape.queries * shape.queryTokens + shape.passages * shape.passageTokens - realTokens,
      duplicatePassages: present.length - new Set(present.map(({ id }) => id)).size,
      freeRows,
      excludedPairs: excluded.filter(Boolean).length - freeRows * items.length,
    },
  }
}
