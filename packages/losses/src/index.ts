export { type InBatchDiagnostics, inBatchDiagnostics } from "./InBatchDiagnostics.ts"
export {
  defaultTemperature,
  type InBatchNll,
  type InBatchNllInputs,
  type InBatchNllOptions,
  inBatchNll,
} from "./InBatchNll.ts"
export { type Similarity, type SimilarityOptions, similarityScores, unitRows } from "./Similarity.ts"
