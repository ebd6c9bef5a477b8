import { float32, int64, type Tensor } from "@tandem/onnx"
import type { Bucket } from "./Buckets.ts"
import { InvalidBatch } from "./Errors.ts"
import { paddedLength } from "./internal/PadRows.ts"
import { sharedPrefix } from "./internal/SharedPrefix.ts"
import { packedRows } from "./PackedRows.ts"
import type { Prompt } from "./Prompt.ts"

export interface PromptOptions {
  readonly padTokenId: number
  /** Padded length of what stands behind the prefixes: of whole texts where there are none. */
  readonly bucket: Bucket
  /** Padded length of the prefixes that the texts of a group share; nothing is shared where absent. */
  readonly prefixBucket?: Bucket
  /**
   * Share of all tokens that has to be saved, or nothing is shared; 1/16 where absent. Attention in two parts moves more
   * memory: a batch that saves less takes longer than its texts written out.
   */
  readonly leastShared?: number
  /** Real tokens are packed, to a multiple of so many rows; not packed where absent. */
  readonly packedMultiple?: number
  /** Places that logits are computed at are rounded up to a multiple of so many; 1 where absent. */
  readonly logitMultiple?: number
}

/** What a decoder's graph is built for. Batches of one shape run on one compiled graph. */
export interface PromptBatchShape {
  readonly batch: number
  readonly tokens: number
  /** There is none where no group shares anything. */
  readonly prefix?: { readonly rows: number; readonly tokens: number }
  /** There are none where nothing is to be packed. */
  readonly packedRows?: number
  readonly logitRows: number
}

export interface PromptStatistics {
  /** Tokens that are computed: those of prefixes once. */
  readonly realTokens: number
  /** Tokens of prefixes that are not computed again. */
  readonly sharedTokens: number
  /** Padding among the rows of token-wise work. */
  readonly paddedTokens: number
}

/** What a decoder's training step reads. */
export interface PromptBatch {
  /**
   * `input_ids` and `attention_mask` `[batch, tokens] int64`, padded on the right; as far as the shape says so,
   * `prefix_input_ids` and `prefix_attention_mask` `[prefix.rows, prefix.tokens] int64` and `packed_rows`
   * `[packedRows] int64`; `logit_rows` `[logitRows] int64`, and for each of them `targets` `[logitRows, 1] int64` and
   * `weights` `[logitRows, 1] float32`: a label's its prompt's, 0 for what only fills the shape.
   */
  readonly tensors: Readonly<Record<string, Tensor>>
  readonly shape: PromptBatchShape
  readonly statistics: PromptStatistics
}

/**
 * Lays groups of texts out for training a decoder, all texts of a group one after another: one question prompted with
 * each of its passages. What the texts of a group begin with is laid out once, so that the decoder computes it once
 * (`DecoderShape.prefix`); loss and gradients are those of the texts written out.
 *
 * Labels are a text's tokens from some place on, or those among them that `labels` names, and nothing else counts.
 * A prefix never holds a label, and never the token that a label is read at: at the last token before the answer each
 * text has its own logits. A group of one text shares nothing. Prefixes of groups may differ in length.
 * Where little is shared (`leastShared`), the batch is one without prefixes.
 *
 * @throws InvalidBatch for groups that are empty or of different sizes, for a text without tokens, with its first token as
 * label or with another number of flags than of tokens, and where a bucket is too short
 *
 * @example
 * ```ts
 * import { bucketLengths, collatePrompts } from "@tandem/collators"
 *
 * const bucket = bucketLengths({ multiple: 1, maximum: 64 })
 * const prompt = (passage: number[]) => ({ ids: [1, 5, 6, 7, ...passage, 3, 9, 2], from: 5 + passage.length })
 * const { shape, statistics } = collatePrompts([[prompt([20, 21]), prompt([30])]], {
 *   padTokenId: 0,
 *   bucket,
 *   prefixBucket: bucket,
 * })
 * console.log(shape) // { batch: 2, tokens: 5, prefix: { rows: 1, tokens: 4 }, logitRows: 4 }
 * console.log(statistics) // { realTokens: 13, sharedTokens: 4, paddedTokens: 1 }
 * ```
 */
export const collatePrompts = (groups: readonly (readonly Prompt[])[], options: PromptOptions): PromptBatch => {
  checkGroups(groups)
  const { padTokenId, bucket, prefixBucket, leastShared = 1 / 16, packedMultiple, logitMultiple = 1 } = options
  const cuts = prefixBucket === undefined ? groups.map(() => 0) : worthCuts(groups, leastShared)
  const texts = groups.flatMap((group, index) => group.map((prompt) => behind(prompt, cuts[index]!)))
  const own = padded("prompts", texts, bucket, padTokenId)
  const prefixes = groups.map(([first], index) => ({ ids: Array.from(first!.ids).slice(0, cuts[index]) }))
  const isShared = prefixBucket !== undefined && cuts.some((length) => length > 0)
  const prefix = isShared ? padded("prefixes", prefixes, prefixBucket, padTokenId) : undefined
  const mask = [...(prefix?.mask ?? []), ...own.mask]
  const rows = packedMultiple === undefined ? undefined : packedRows(int64([1, mask.length], mask), packedMultiple)
  const packed = rows === undefined || rows.data.length === mask.length ? undefined : rows
  const answers = answersOf(texts, own.tokens, logitMultiple)
  const realTokens = mask.filter((real) => real === 1).length
  const prefixDims = prefix && [groups.length, prefix.tokens]
  return {
    tensors: {
      input_ids: int64([texts.length, own.tokens], own.ids),
      attention_mask: int64([texts.length, own.tokens], own.mask),
      ...(prefix && prefixDims && { prefix_input_ids: int64(prefixDims, prefix.ids) }),
      ...(prefix && prefixDims && { prefix_attention_mask: int64(prefixDims, prefix.mask) }),
      ...(packed && { packed_rows: packed }),
      ...answers.tensors,
    },
    shape: {
      batch: texts.length,
      tokens: own.tokens,
      ...(prefix && { prefix: { rows: groups.length, tokens: prefix.tokens } }),
      ...(packed && { packedRows: packed.data.length }),
      logitRows: answers.count,
    },
    statistics: {
      realTokens,
      sharedTokens: savedBy(cuts, groups),
      paddedTokens: (packed?.data.length ?? mask.length) - realTokens,
    },
  }
}

const checkGroups = (groups: readonly (readonly Prompt[])[]): void => {
  const sizes = [...new Set(groups.map(({ length }) => length))]
  if (sizes.length !== 1 || sizes[0] === 0) {
    throw new InvalidBatch({
      message: "prompts cannot be laid out in such groups",
      expected: "at least one group, and in each the same number of prompts",
      found: sizes.length === 0 ? "no groups" : `groups of ${sizes.join(", ")}`,
    })
  }
  for (const [group, prompts] of groups.entries())
    for (const [index, { ids, from, labels = ids }] of prompts.entries()) {
      if (labels.length !== ids.length) {
        throw new InvalidBatch({
          message: `prompt ${index} of group ${group} has another number of labels than of tokens`,
          field: `[${group}][${index}].labels`,
          expected: `${ids.length}`,
          found: `${labels.length}`,
        })
      }
      if (ids.length > 0 && Number.isSafeInteger(from) && from > 0) continue
      throw new InvalidBatch({
        message: `prompt ${index} of group ${group} has no tokens, or labels from a place that nothing predicts`,
        field: `[${group}][${index}]`,
        expected: "at least one token, and a whole number above 0",
        found: `${ids.length} ids, labels from ${from}`,
      })
    }
}

/** The length of each group's prefix; 0 for all where they save too little. */
const worthCuts = (groups: readonly (readonly Prompt[])[], leastShared: number): readonly number[] => {
  const cuts = groups.map(sharedPrefix)
  const tokens = groups.flat().reduce((sum, { ids }) => sum + ids.length, 0)
  return savedBy(cuts, groups) < leastShared * tokens ? groups.map(() => 0) : cuts
}

/** Tokens that prefixes of these lengths save. */
const savedBy = (cuts: readonly number[], groups: readonly (readonly Prompt[])[]): number =>
  cuts.reduce((sum, length, index) => sum + length * (groups[index]!.length - 1), 0)

/** What stands behind the first tokens of a prompt. */
const behind = ({ ids, from, labels, weight = 1 }: Prompt, cut: number) => ({
  ids: Array.from(ids).slice(cut),
  isLabel: (column: number): boolean => column >= from - cut && (labels?.[column + cut] ?? true),
  weight,
})

type Text = ReturnType<typeof behind>

/** Token ids and a mask of rows of one length. */
const padded = (name: string, texts: readonly Pick<Text, "ids">[], bucket: Bucket, padTokenId: number) => {
  const tokens = paddedLength(name, texts, bucket)
  const filled = (values: readonly number[], padding: number): readonly number[] => [
    ...values,
    ...new Array<number>(tokens - values.length).fill(padding),
  ]
  return {
    tokens,
    ids: texts.flatMap(({ ids }) => filled(ids, padTokenId)),
    mask: texts.flatMap(({ ids }) => filled(new Array<number>(ids.length).fill(1), 0)),
  }
}

/** The places that labels are read at, and further ones of real tokens up to a multiple, as far as there are any. */
const answersOf = (texts: readonly Text[], tokens: number, multiple: number) => {
  if (!Number.isSafeInteger(multiple) || multiple < 1) {
    throw new InvalidBatch({
      message: "logit rows cannot be rounded up to this",
      field: "logitMultiple",
      expected: "a positive whole number",
      found: `${multiple}`,
    })
  }
  const labels: { readonly place: number; readonly target: number; readonly weight: number }[] = []
  const further: number[] = []
  for (const [row, { ids, isLabel, weight }] of texts.entries())
    for (const column of ids.keys()) {
      const [place, target] = [row * tokens + column, ids[column + 1]]
      if (target === undefined || !isLabel(column + 1)) further.push(place)
      else labels.push({ place, target, weight })
    }
  const spare = Math.max(1, Math.ceil(labels.length / multiple)) * multiple - labels.length
  const rows = [...labels, ...further.slice(0, spare).map((place) => ({ place, target: 0, weight: 0 }))]
  const count = rows.length
  return {
    count,
    tensors: {
      logit_rows: int64(
        [count],
        rows.map(({ place }) => place),
      ),
      targets: int64(
        [count, 1],
        rows.map(({ target }) => target),
      ),
      weights: float32(
        [count, 1],
        rows.map(({ weight }) => weight),
      ),
    },
  }
}
