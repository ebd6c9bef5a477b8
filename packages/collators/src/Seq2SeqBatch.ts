import { float32, int64, type Tensor } from "@tandem/onnx"
import type { Bucket } from "./Buckets.ts"
import { InvalidBatch } from "./Errors.ts"
import { paddedLength } from "./internal/PadRows.ts"
import { packedRows } from "./PackedRows.ts"

/** What an encoder-decoder reads and what it is to write. */
export interface SourceAndTarget {
  readonly source: ArrayLike<number>
  /** The answer's tokens, the one that ends it among them: all are labels. */
  readonly target: ArrayLike<number>
  /** What each of its labels counts for; 1 where absent. */
  readonly weight?: number
}

export interface Seq2SeqBatchOptions {
  readonly padTokenId: number
  /** The token that the decoder reads first. */
  readonly startTokenId: number
  readonly bucket: Bucket
  readonly targetBucket: Bucket
  /** Real tokens of the sources are packed, to a multiple of so many rows; not packed where absent. */
  readonly packedMultiple?: number
  /** Places that logits are computed at are rounded up to a multiple of so many; 1 where absent. */
  readonly logitMultiple?: number
}

/** What an encoder-decoder's graph is built for. */
export interface Seq2SeqBatchShape {
  readonly batch: number
  readonly tokens: number
  readonly targetTokens: number
  /** There are none where nothing is to be packed. */
  readonly packedRows?: number
  readonly logitRows: number
}

/** What an encoder-decoder's training step reads. */
export interface Seq2SeqBatch {
  /**
   * `input_ids` and `attention_mask` `[batch, tokens]`, `decoder_input_ids` and `decoder_attention_mask`
   * `[batch, targetTokens]`, padded on the right; where the shape says so `packed_rows`; `logit_rows` `[logitRows]`, all
   * int64; and for each of these `targets` `[logitRows, 1] int64` and `weights` `[logitRows, 1] float32`: a label's its
   * text's, 0 for what only fills the shape.
   */
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly shape: Seq2SeqBatchShape
  readonly statistics: { readonly realTokens: number; readonly paddedTokens: number }
}

/**
 * Lays texts out for training an encoder-decoder: the encoder reads the sources, the decoder a start token and the targets
 * without their last tokens, and each of its places predicts a token of the target.
 *
 * @throws InvalidBatch for no texts, a source or target without tokens, and where a bucket is too short
 *
 * @example
 * ```ts
 * import { bucketLengths, collateSeq2Seq } from "@tandem/collators"
 * import { toNumbers } from "@tandem/onnx"
 *
 * const bucket = bucketLengths({ multiple: 1, maximum: 64 })
 * const { tensors } = collateSeq2Seq([{ source: [5, 6, 7, 2], target: [9, 2] }], {
 *   padTokenId: 0,
 *   startTokenId: 1,
 *   bucket,
 *   targetBucket: bucket,
 * })
 * console.log(toNumbers(tensors["decoder_input_ids"]!), toNumbers(tensors["targets"]!)) // [ 1, 9 ] [ 9, 2 ]
 * ```
 */
export const collateSeq2Seq = (texts: readonly SourceAndTarget[], options: Seq2SeqBatchOptions): Seq2SeqBatch => {
  const { padTokenId, startTokenId, bucket, targetBucket, packedMultiple, logitMultiple = 1 } = options
  const empty = texts.findIndex(({ source, target }) => source.length === 0 || target.length === 0)
  if (texts.length === 0 || empty >= 0) {
    throw new InvalidBatch({
      message: texts.length === 0 ? "there are no texts to lay out" : `text ${empty} has no tokens on one side`,
      ...(texts.length === 0 ? {} : { field: `[${empty}]` }),
      expected: "at least one token on either side of each text",
    })
  }
  const { ids, mask, tokens } = padded(
    "sources",
    texts.map(({ source }) => Array.from(source)),
    bucket,
    padTokenId,
  )
  const targets = texts.map(({ target }) => Array.from(target))
  const inputs = targets.map((target) => [startTokenId, ...target.slice(0, -1)])
  const decoder = padded("targets", inputs, targetBucket, padTokenId)
  const rows = labelled(targets, decoder.tokens, texts, logitMultiple)
  const packed = packedMultiple === undefined ? undefined : packedRows(mask, packedMultiple)
  const source = packed?.dims[0] === mask.data.length ? undefined : packed
  const realTokens = [...texts.map((text) => text.source), ...targets].reduce((sum, { length }) => sum + length, 0)
  return {
    tensors: {
      input_ids: ids,
      attention_mask: mask,
      decoder_input_ids: decoder.ids,
      decoder_attention_mask: decoder.mask,
      ...(source && { packed_rows: source }),
      logit_rows: int64(
        [rows.length],
        rows.map(({ place }) => place),
      ),
      targets: int64(
        [rows.length, 1],
        rows.map(({ id }) => id),
      ),
      weights: float32(
        [rows.length, 1],
        rows.map(({ weight }) => weight),
      ),
    },
    shape: {
      batch: texts.length,
      tokens,
      targetTokens: decoder.tokens,
      ...(source && { packedRows: source.data.length }),
      logitRows: rows.length,
    },
    statistics: {
      realTokens,
      paddedTokens: (source ?? mask).data.length + decoder.mask.data.length - realTokens,
    },
  }
}

/** Token ids and a mask of rows of one length. */
const padded = (name: string, texts: readonly (readonly number[])[], bucket: Bucket, padTokenId: number) => {
  const tokens = paddedLength(
    name,
    texts.map((ids) => ({ ids })),
    bucket,
  )
  const rows = (value: (ids: readonly number[], column: number) => number): Tensor =>
    int64(
      [texts.length, tokens],
      texts.flatMap((ids) => Array.from({ length: tokens }, (_, column) => value(ids, column))),
    )
  return {
    tokens,
    ids: rows((ids, column) => ids[column] ?? padTokenId),
    mask: rows((ids, column) => (column < ids.length ? 1 : 0)),
  }
}

/** The places that labels are read at, and padding places up to a multiple, as far as there are any. */
const labelled = (
  targets: readonly (readonly number[])[],
  tokens: number,
  texts: readonly SourceAndTarget[],
  multiple: number,
) => {
  const places = targets.flatMap((ids, row) =>
    Array.from({ length: tokens }, (_, column) => {
      const id = ids[column]
      const place = row * tokens + column
      return id === undefined
        ? { place, id: 0, weight: 0, real: false }
        : { place, id, weight: texts[row]!.weight ?? 1, real: true }
    }),
  )
  const labels = places.filter(({ real }) => real)
  const spare = Math.ceil(labels.length / multiple) * multiple - labels.length
  return [...labels, ...places.filter(({ real }) => !real).slice(0, spare)]
}
