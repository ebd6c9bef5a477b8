import {
  type BatchPassage,
  type BatchStatistics,
  type Bucket,
  collateDualEncoder,
  collateSharedEncoder,
  type DualEncoderItem,
  drawNegatives,
  drawPositive,
  dualEncoderSampler,
  lengthGroups,
  packedRows,
} from "@tandem/collators"
import { type Example, type Passage, type RetrievalData, sameText } from "@tandem/datasets"
import type { Encoder, EncoderShape } from "@tandem/models"
import type { Tensor } from "@tandem/onnx"
import { defaultTitles, encodeInput, encoderOf, type Side, type Towers } from "@tandem/retriever"
import type { Batch } from "@tandem/trainers"
import { describeShape, isFull, packedMultiple, shortTexts, textBucket } from "../retrieval/EncoderBatch.ts"
import { encodingOf, longest, type RetrievalSettings } from "../retrieval/RetrievalSettings.ts"
import type { DprShape } from "./DprProgram.ts"

/** A batch with the shapes that its program is built for. */
export interface DprBatch extends Batch {
  readonly shape: DprShape
}

/** The batches of a run by their number. */
export interface DprBatches {
  readonly perEpoch: number
  readonly at: (index: number) => DprBatch
}

/** Groups of short texts attend within half of the shortest length that others are rounded up to. */
const groupBucket = (maxLength: number): Bucket => {
  const bucket = textBucket(maxLength)
  return (length) => (maxLength > shortTexts && length <= shortTexts / 2 ? shortTexts / 2 : bucket(length))
}

/**
 * Where texts, sorted by length, are cut into groups that attend within their own length: few batches differ in the
 * lengths of the longest quarter, the middle half and the shortest quarter of passages, and of the longest quarter of
 * questions and the others.
 */
const groupCuts = { passages: [0.25, 0.75], queries: [0.25] }

/** The cuts of a batch of which that share are passages; they are longer than the questions. */
const sharedCuts = (passages: number, maxLength: number): readonly number[] =>
  maxLength <= shortTexts
    ? [passages]
    : [
        ...groupCuts.passages.map((share) => share * passages),
        passages,
        ...groupCuts.queries.map((share) => passages + share * (1 - passages)),
      ]

/** What batches are made of. */
export interface DprBatchOptions {
  readonly data: RetrievalData
  readonly retrieval: RetrievalSettings
  readonly seed: number
  readonly batchSize: number
  /** Hard negatives that each question brings into its batch. */
  readonly hardNegatives: number
  /** A batch of fewer questions has nothing to learn from: 2 where questions need each other's passages. */
  readonly smallestBatch: number
}

/** Batches of training examples: order, positives and negatives follow from seed and number alone. */
export const dprBatches = (towers: Towers, options: DprBatchOptions): DprBatches => {
  const { data, retrieval, seed, batchSize, hardNegatives, smallestBatch } = options
  const { examples, corpus } = data
  const maxLength = longest(retrieval)
  const sampler = dualEncoderSampler({
    count: examples.length,
    batchSize,
    seed,
    smallestBatch,
  })
  const query = encoderOf(towers, "query")
  const passage = encoderOf(towers, "passage")
  const encode = memoized(towers, retrieval)
  // Graphs that this project builds leave padding out of token-wise work; a model's own ONNX graph cannot.
  const packs = [query, passage].every(({ source }) => source.kind === "weights")
  const share = (1 + hardNegatives) / (2 + hardNegatives)
  const multiple = packedMultiple(batchSize * (1 + hardNegatives), maxLength)
  const cuts = maxLength <= shortTexts ? [] : groupCuts.passages
  const titled = (retrieval.titles ?? defaultTitles(passage)) !== "none"
  const twins = sameText(corpus.values(), { titled })
  // Without weights nothing is multiplied by them, so that such runs stay as they were.
  const weighted = examples.some(({ weight = 1 }) => weight !== 1)
  const collateOptions = {
    padTokenId: query.config.padTokenId,
    bucket: textBucket(maxLength),
    hardNegatives,
    inputs: query.inputs,
    weights: weighted,
  }
  /** An encoder's shape without padding, and its rows. */
  const packed = (
    mask: Tensor,
    cut: readonly number[],
    longestText = maxLength,
  ): { readonly rows: Tensor; readonly shape: EncoderShape } => {
    const [batch = 0, tokens = 0] = mask.dims
    const groups = lengthGroups(mask, cut, groupBucket(longestText))
    const rows = packedRows(mask, multiple, groups)
    return {
      rows,
      shape: { batch, tokens, groups, packedRows: rows.dims[0]!, ...(isFull(mask, groups) && { full: true }) },
    }
  }
  const passageOf = (id: string): BatchPassage => ({ id, text: encode("passage", id, corpus.get(id)!) })
  const itemOf = (example: Example, epoch: number): DualEncoderItem => {
    const draw = { seed, epoch, example: example.id }
    const relevant = new Set(example.positives.flatMap((id) => [id, ...(twins.get(id) ?? [])]))
    // A question that is a document of the corpus itself is no passage to tell from its positive.
    if (example.relevance !== undefined) relevant.add(example.id)
    return {
      query: encode("query", example.id, { id: example.id, text: example.query }),
      positive: passageOf(drawPositive(example.positives, draw)),
      negatives: drawNegatives(example.negatives, relevant, hardNegatives, draw).map(passageOf),
      relevant,
      ...(example.weight === undefined ? {} : { weight: example.weight }),
    }
  }
  const statisticsOf = ({ realTokens, paddedTokens, duplicatePassages }: BatchStatistics) => ({
    padding: paddedTokens / (realTokens + paddedTokens),
    duplicatePassages,
  })
  const sharedBatch = (items: readonly DualEncoderItem[]): DprBatch => {
    const { tensors, shape, statistics } = collateSharedEncoder(items, collateOptions)
    const { rows, shape: shared } = packed(tensors["text.attention_mask"]!, sharedCuts(share, maxLength))
    return {
      examples: items.length,
      statistics: statisticsOf(statistics),
      key: `${shape.queries} + ${shape.passages}: ${describeShape(shared)}`,
      tensors: { ...tensors, "text.packed_rows": rows },
      shape: { queries: shape.queries, passages: shape.passages, weighted, encoders: { shared } },
    }
  }
  const separateBatch = (items: readonly DualEncoderItem[]): DprBatch => {
    const { tensors, shape, statistics } = collateDualEncoder(
      items.toSorted((a, b) => b.positive.text.ids.length - a.positive.text.ids.length),
      {
        ...collateOptions,
        bucket: textBucket(retrieval.maxLength.query),
        passage: {
          padTokenId: passage.config.padTokenId,
          inputs: passage.inputs,
          bucket: textBucket(retrieval.maxLength.passage),
        },
      },
    )
    const side = (name: Side, batch: number, tokens: number) =>
      packs
        ? packed(tensors[`${name}.attention_mask`]!, cuts, retrieval.maxLength[name])
        : { rows: undefined, shape: { batch, tokens } satisfies EncoderShape }
    const queries = side("query", shape.queries, shape.queryTokens)
    const passages = side("passage", shape.passages, shape.passageTokens)
    return {
      examples: items.length,
      statistics: statisticsOf(statistics),
      key: `${describeShape(queries.shape)} + ${describeShape(passages.shape)}`,
      tensors: {
        ...tensors,
        ...(queries.rows && { "query.packed_rows": queries.rows }),
        ...(passages.rows && { "passage.packed_rows": passages.rows }),
      },
      shape: {
        queries: shape.queries,
        passages: shape.passages,
        weighted,
        encoders: { query: queries.shape, passage: passages.shape },
      },
    }
  }
  const at = (index: number): DprBatch => {
    const { epoch, indices } = sampler.batchAt(index)
    const items = indices.map((place) => itemOf(examples[place]!, epoch))
    return packs && towers.kind === "shared" ? sharedBatch(items) : separateBatch(items)
  }
  return { perEpoch: sampler.batchesPerEpoch, at }
}

/** Token ids of texts, each made once. */
const memoized = (towers: Towers, retrieval: RetrievalSettings) => {
  const known = { query: new Map<string, Encoded>(), passage: new Map<string, Encoded>() }
  return (side: Side, key: string, text: Passage): Encoded => {
    const before = known[side].get(key)
    if (before !== undefined) return before
    const made = encodeInput(encoderOf(towers, side), text, side, encodingOf(retrieval, side))
    known[side].set(key, made)
    return made
  }
}

type Encoded = ReturnType<Encoder["tokenizer"]["encode"]>
