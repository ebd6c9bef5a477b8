export {
  type AnswerInputs,
  type AnswerLogLikelihood,
  type AnswerRows,
  answerLogLikelihood,
  rowsOfPlaces,
} from "./AnswerLogLikelihood.ts"
export { type AnswerNll, type AnswerNllOptions, type AnswerReduction, answerNll } from "./AnswerNll.ts"
export { type InBatchDiagnostics, inBatchDiagnostics } from "./InBatchDiagnostics.ts"
export {
  defaultTemperature,
  type InBatchNll,
  type InBatchNllInputs,
  type InBatchNllOptions,
  inBatchNll,
} from "./InBatchNll.ts"
export { type SimilarityOptions, similarityScores, unitRows } from "./Similarity.ts"
