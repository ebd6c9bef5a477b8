export { type DprBatch, type DprBatches, type DprBatchOptions, dprBatches } from "./dpr/DprBatches.ts"
export { type DprOptions, dprObjective } from "./dpr/DprObjective.ts"
export { type DprProgramOptions, type DprShape, dprProgram } from "./dpr/DprProgram.ts"
export { evaluateBm25, evaluateTowers, goldOf, type Ranked, type SystemResult } from "./retrieval/EvaluateTowers.ts"
export {
  decidingMetric,
  divergedAfter,
  figures,
  measured,
  measureRetrieval,
  type RetrievalFailure,
  type RetrievalMeasurement,
  searchTowers,
} from "./retrieval/MeasureRetrieval.ts"
export { encodingOf, longest, type RetrievalSettings, type SearchTowers } from "./retrieval/RetrievalSettings.ts"
export { dataFields, type RetrieverSettings, retrieverFields } from "./retrieval/RetrieverFields.ts"
