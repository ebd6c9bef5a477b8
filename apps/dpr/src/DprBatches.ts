import {
  type BatchPassage,
  bucketLengths,
  collateDualEncoder,
  type DualEncoderItem,
  drawNegatives,
  drawPositive,
  dualEncoderSampler,
  lengthGroups,
  packedRows,
} from "@tandem/collators"
import type { Example, Passage } from "@tandem/datasets"
import type { Encoder } from "@tandem/models"
import { encodeInput, encoderOf, type Side, type Towers } from "@tandem/retriever"
import type { Batch } from "@tandem/trainers"
import type { DprData } from "./DprData.ts"
import type { DprShape, PackedShape } from "./DprProgram.ts"
import type { RetrievalSettings } from "./SearchTowers.ts"
import type { DprSettings } from "./Settings.ts"

/** A batch with the shapes that its program is built for. */
export interface DprBatch extends Batch {
  readonly shape: DprShape
}

/** The batches of a run by their number. */
export interface DprBatches {
  readonly perEpoch: number
  readonly at: (index: number) => DprBatch
}

/** Up to this many tokens attention costs little, and each further graph costs more. */
const shortTexts = 64

/** Lengths are rounded up to this many tokens, so that few graphs are compiled: padding is packed away where it costs. */
const bucketMultiple = (maxLength: number): number => (maxLength <= shortTexts ? 16 : 64)

/** Rows of token-wise work are rounded up to this many: a sixteenth of the largest batch there can be. */
const packedMultiple = (passages: number, maxLength: number): number => Math.ceil((passages * maxLength) / 16 / 64) * 64

/**
 * Where a batch, sorted by the length of its passages, is cut into groups that attend within their own length: few
 * batches differ in the lengths of the longest quarter, the middle half and the shortest quarter.
 */
const groupCuts = [0.25, 0.75]

const describe = ({ packedRows: rows, groups }: PackedShape): string =>
  `${rows} (${groups.map((group) => `${group.rows}x${group.tokens}`).join(", ")})`

/** Batches of training examples: order, positives and negatives follow from seed and number alone. */
export const dprBatches = (
  towers: Towers,
  data: DprData,
  settings: DprSettings,
  retrieval: RetrievalSettings,
): DprBatches => {
  const { examples, corpus } = data.train
  const { seed, batchSize } = settings
  const sampler = dualEncoderSampler({ count: examples.length, batchSize, seed })
  const query = encoderOf(towers, "query")
  const passage = encoderOf(towers, "passage")
  const bucket = bucketLengths({ multiple: bucketMultiple(retrieval.maxLength), maximum: retrieval.maxLength })
  const cuts = retrieval.maxLength <= shortTexts ? [] : groupCuts
  const encode = memoized(towers, retrieval)
  // Graphs that this project builds leave padding out of token-wise work; a model's own ONNX graph cannot.
  const packs = [query, passage].every(({ source }) => source.kind === "weights")
  const multiple = packedMultiple(batchSize * (1 + data.hardNegatives), retrieval.maxLength)
  const passageOf = (id: string): BatchPassage => ({ id, text: encode("passage", id, corpus.get(id)!) })
  const itemOf = (example: Example, epoch: number): DualEncoderItem => {
    const draw = { seed, epoch, example: example.id }
    const relevant = new Set(example.positives)
    return {
      query: encode("query", example.id, { id: example.id, text: example.query }),
      positive: passageOf(drawPositive(example.positives, draw)),
      negatives: drawNegatives(example.negatives, relevant, data.hardNegatives, draw).map(passageOf),
      relevant,
    }
  }
  const at = (index: number): DprBatch => {
    const { epoch, indices } = sampler.batchAt(index)
    const items = indices.map((place) => itemOf(examples[place]!, epoch))
    const { tensors, shape, statistics } = collateDualEncoder(
      items.toSorted((a, b) => b.positive.text.ids.length - a.positive.text.ids.length),
      {
        padTokenId: query.config.padTokenId,
        bucket,
        hardNegatives: data.hardNegatives,
        inputs: query.inputs,
        passage: { padTokenId: passage.config.padTokenId, inputs: passage.inputs },
      },
    )
    const { realTokens, paddedTokens, duplicatePassages } = statistics
    const padding = paddedTokens / (realTokens + paddedTokens)
    const common = { examples: indices.length, statistics: { padding, duplicatePassages } }
    const sizes = `${shape.queries}x${shape.queryTokens} ${shape.passages}x${shape.passageTokens}`
    if (!packs) return { ...common, key: sizes, tensors, shape: { ...shape, packed: undefined } }
    const side = (name: Side) => {
      const mask = tensors[`${name}.attention_mask`]!
      const rows = packedRows(mask, multiple)
      return { rows, shape: { packedRows: rows.dims[0]!, groups: lengthGroups(mask, cuts, bucket) } }
    }
    const [q, p] = [side("query"), side("passage")]
    return {
      ...common,
      key: `${sizes} ${describe(q.shape)} + ${describe(p.shape)}`,
      tensors: { ...tensors, "query.packed_rows": q.rows, "passage.packed_rows": p.rows },
      shape: { ...shape, packed: { query: q.shape, passage: p.shape } },
    }
  }
  return { perEpoch: sampler.batchesPerEpoch, at }
}

/** Token ids of texts, each made once. */
const memoized = (towers: Towers, { maxLength, titles }: RetrievalSettings) => {
  const known = { query: new Map<string, Encoded>(), passage: new Map<string, Encoded>() }
  return (side: Side, key: string, text: Passage): Encoded => {
    const before = known[side].get(key)
    if (before !== undefined) return before
    const options = titles === undefined ? { maxLength } : { maxLength, titles }
    const made = encodeInput(encoderOf(towers, side), text, side, options)
    known[side].set(key, made)
    return made
  }
}

type Encoded = ReturnType<Encoder["tokenizer"]["encode"]>
