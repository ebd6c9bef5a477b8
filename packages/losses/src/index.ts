export {
  type AnswerInputs,
  type AnswerLogLikelihood,
  type AnswerRows,
  answerLogLikelihood,
  rowsOfPlaces,
} from "./AnswerLogLikelihood.ts"
export { type AnswerNll, type AnswerNllOptions, type AnswerReduction, answerNll } from "./AnswerNll.ts"
export { type CandidateNllInputs, candidateNll } from "./CandidateNll.ts"
export { type Emdr2, type Emdr2Options, emdr2 } from "./Emdr2.ts"
export { type InBatchDiagnostics, inBatchDiagnostics } from "./InBatchDiagnostics.ts"
export {
  defaultTemperature,
  type InBatchNll,
  type InBatchNllInputs,
  type InBatchNllOptions,
  inBatchNll,
} from "./InBatchNll.ts"
export { type LoopInputs, type LoopOptions, loop } from "./Loop.ts"
export { type LsrDirection, type LsrInputs, type LsrOptions, type LsrScore, lsr } from "./Lsr.ts"
export { type LsrPreset, type LsrPresetName, type LsrSettings, lsrDefaults, lsrPresets } from "./LsrPresets.ts"
export { type MarginalInputs, marginalLogProbabilities } from "./MarginalLogProbabilities.ts"
export { type MarginMse, marginMse } from "./MarginMse.ts"
export { type PdistOptions, pdist } from "./Pdist.ts"
export type { LabelSmoothing, RagLoss, RagLossOptions, RagReduction } from "./RagLoss.ts"
export { type RagInputs, type RagSequence, type RagSequenceOptions, ragSequence } from "./RagSequence.ts"
export { type RagToken, ragToken } from "./RagToken.ts"
export { type RagTokenRenewed, type RagTokenRenewedInputs, ragTokenRenewed } from "./RagTokenRenewed.ts"
export { passagePosterior, type RetrievalPriorOptions, retrievalLogPrior } from "./RetrievalPrior.ts"
export {
  type Distribution,
  type PriorDiagnostics,
  priorDiagnostics,
  type TargetDiagnostics,
  targetDiagnostics,
} from "./RetrieverDiagnostics.ts"
export {
  type CandidateScores,
  defaultFlatBelow,
  type QueryReduction,
  type RetrieverLoss,
  type RetrieverLossOptions,
} from "./RetrieverLoss.ts"
export { type ScoreDistillationOptions, scoreDistillation, type TaughtScores } from "./ScoreDistillation.ts"
export { type SimilarityOptions, similarityScores, unitRows } from "./Similarity.ts"
export { stopGradient } from "./StopGradient.ts"
