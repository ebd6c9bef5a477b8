export { type Bucket, bucketLengths } from "./Buckets.ts"
export { type Draw, drawNegatives, drawPositive } from "./DrawPassages.ts"
export {
  type BatchShape,
  type BatchStatistics,
  type CollateOptions,
  collateDualEncoder,
  type DualEncoderBatch,
} from "./DualEncoderBatch.ts"
export type { BatchPassage, DualEncoderItem } from "./DualEncoderItem.ts"
export {
  type BatchPlace,
  type DualEncoderSampler,
  dualEncoderSampler,
  epochOrder,
  type LengthGrouping,
  type SamplerOptions,
} from "./DualEncoderSampler.ts"
export { InvalidBatch } from "./Errors.ts"
export { type LengthGroup, lengthGroups } from "./LengthGroups.ts"
export { packedRows } from "./PackedRows.ts"
export type { Prompt } from "./Prompt.ts"
export {
  collatePrompts,
  type PromptBatch,
  type PromptBatchShape,
  type PromptOptions,
  type PromptStatistics,
} from "./PromptBatch.ts"
export {
  collateSeq2Seq,
  type Seq2SeqBatch,
  type Seq2SeqBatchOptions,
  type Seq2SeqBatchShape,
  type SourceAndTarget,
} from "./Seq2SeqBatch.ts"
export { collateSharedEncoder, type SharedBatchShape, type SharedEncoderBatch } from "./SharedEncoderBatch.ts"
export type { TokenizedText } from "./TokenizedText.ts"
