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
export { type MarginalInputs, marginalLogProbabilities } from "./MarginalLogProbabilities.ts"
export type { LabelSmoothing, RagLoss, RagLossOptions, RagReduction } from "./RagLoss.ts"
export { type RagInputs, type RagSequence, type RagSequenceOptions, ragSequence } from "./RagSequence.ts"
export { type RagToken, ragToken } from "./RagToken.ts"
export { type RagTokenRenewed, type RagTokenRenewedInputs, ragTokenRenewed } from "./RagTokenRenewed.ts"
export { passagePosterior, type RetrievalPriorOptions, retrievalLogPrior } from "./RetrievalPrior.ts"
export { type SimilarityOptions, similarityScores, unitRows } from "./Similarity.ts"
