import { type Bucket, bucketLengths, type LengthGroup, packedRows } from "@tandem/collators"
import { type Encoded, type Encoder, type EncoderShape, encoderInputs, pad } from "@tandem/models"
import { type Tensor, toNumbers } from "@tandem/onnx"

/** Up to this many tokens attention costs little, and each further graph costs more. */
export const shortTexts = 64

/** Lengths are rounded up to this many tokens, so that few graphs are compiled: padding is packed away where it costs. */
export const textBucket = (maxLength: number): Bucket =>
  bucketLengths({ multiple: maxLength <= shortTexts ? 16 : 64, maximum: maxLength })

/** Rows of token-wise work are rounded up to this many: a sixteenth of the largest batch there can be. */
export const packedMultiple = (texts: number, maxLength: number): number =>
  Math.ceil((texts * maxLength) / 16 / 64) * 64

/** Whether every place of the groups is a real token. */
export const isFull = (mask: Tensor, groups: readonly LengthGroup[]): boolean =>
  toNumbers(mask).reduce((sum, value) => sum + value, 0) ===
  groups.reduce((sum, { rows, tokens }) => sum + rows * tokens, 0)

/** An encoder's shape as a part of a batch's key. */
export const describeShape = ({ batch, tokens, packedRows: rows, groups = [], full = false }: EncoderShape): string => {
  const packing =
    rows === undefined ? "" : ` ${rows} (${groups.map((group) => `${group.rows}x${group.tokens}`).join(", ")})`
  return `${batch}x${tokens}${packing}${full ? " full" : ""}`
}

/** Texts as one encoder reads them. */
export interface EncoderBatch {
  /** By the names of the graph's inputs. */
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly shape: EncoderShape
  /** Tokens of the texts, and padding among the rows of token-wise work. */
  readonly realTokens: number
  readonly paddedTokens: number
}

/**
 * Lays tokenized texts out as rows of one length, padding left out of token-wise work where the project builds the
 * encoder's graph; one from an ONNX file computes it.
 */
export const encoderBatch = (encoder: Encoder, texts: readonly Encoded[], maxLength: number): EncoderBatch => {
  const longest = texts.reduce((most, { ids }) => Math.max(most, ids.length), 1)
  const tokens = textBucket(maxLength)(longest)
  const tensors = encoderInputs(pad(texts, encoder.config.padTokenId, tokens), encoder.inputs)
  const batch = texts.length
  const realTokens = texts.reduce((sum, { ids }) => sum + ids.length, 0)
  const mask = tensors["attention_mask"]
  if (encoder.source.kind === "onnx" || mask === undefined) {
    return { tensors, shape: { batch, tokens }, realTokens, paddedTokens: batch * tokens - realTokens }
  }
  const groups = [{ rows: batch, tokens }]
  const rows = packedRows(mask, packedMultiple(batch, maxLength), groups)
  const packed = rows.dims[0]!
  return {
    tensors: { ...tensors, packed_rows: rows },
    shape: { batch, tokens, groups, packedRows: packed, ...(isFull(mask, groups) && { full: true }) },
    realTokens,
    paddedTokens: packed - realTokens,
  }
}
