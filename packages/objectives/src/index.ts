export { type AnswerVariant, answerContexts, answerVariants } from "./answers/AnswerContexts.ts"
export {
  type AnswerEvaluation,
  evaluateVariants,
  type VariantResult,
  type VariantResults,
  variantFigures,
  variantValues,
} from "./answers/EvaluateAnswers.ts"
export { evaluateTexts, type TextGroup, type TextResults, textGroups, textReports } from "./answers/EvaluateTexts.ts"
export { type AnswerMeasurement, measureAnswers, measuredAnswers } from "./answers/MeasureAnswers.ts"
export { measuredTexts, measureTexts, type TextMeasurement, textCounts } from "./answers/MeasureTexts.ts"
export { type DprBatch, type DprBatches, type DprBatchOptions, dprBatches } from "./dpr/DprBatches.ts"
export { type DprOptions, dprObjective } from "./dpr/DprObjective.ts"
export { type DprProgramOptions, type DprShape, dprProgram } from "./dpr/DprProgram.ts"
export { InvalidScoresError } from "./Errors.ts"
export {
  type AnswerBatch,
  type AnswerExample,
  type AnswerLayoutOptions,
  answerLayout,
  type GeneratorGraph,
} from "./generator/AnswerLayout.ts"
export { callGenerator, type GeneratorCall, generatorPart, generatorTensors } from "./generator/CallGenerator.ts"
export { collapseWatch, nearChance, type StepNumbers } from "./joint/CollapseWatch.ts"
export {
  decodingOf,
  evaluateRag,
  evaluateRenewed,
  mixtureOf,
  type RagEvaluation,
  type RagResult,
  type RagSettings,
  type RenewedEvaluation,
  ragRequest,
} from "./joint/EvaluateRag.ts"
export {
  type JointBatch,
  type JointBatchOptions,
  type JointDraft,
  type JointQuestion,
  type JointShape,
  jointBatches,
  type Labelled,
} from "./joint/JointBatches.ts"
export type { JointModels } from "./joint/JointModels.ts"
export {
  type JointOptions,
  jointObjective,
  type SearchedBatch,
  type SearchedDraft,
} from "./joint/JointObjective.ts"
export { type JointLoss, type JointProgramOptions, jointProgram } from "./joint/JointProgram.ts"
export { type LiveIndex, type LiveIndexFailure, type LiveIndexOptions, makeLiveIndex } from "./joint/LiveIndex.ts"
export {
  type JointFailure,
  type JointMeasurement,
  measureJoint,
  measureSystem,
  renewalOf,
  type SystemMeasurement,
} from "./joint/MeasureJoint.ts"
export { attemptToPrompt, ragRequestOf, type ScoredContext } from "./joint/RagRequest.ts"
export { isDue, parseRefresh, type Refresh, refreshGrammar } from "./joint/Refresh.ts"
export {
  type FoundHit,
  type Renewal,
  type RenewedAnswer,
  type RenewedSources,
  renewedAnswers,
  renewedLikelihoods,
  renewedSources,
} from "./joint/RenewedAnswers.ts"
export { type RenewedBatch, type RenewedDraft, type RenewedShape, renewedBatches } from "./joint/RenewedBatches.ts"
export { renewedProgram } from "./joint/RenewedProgram.ts"
export { renewals, renewedQuery } from "./joint/RenewedQueries.ts"
export { fixedCandidates, positiveFirst, renewedCandidates, type Teach, teachBy } from "./lsr/Candidates.ts"
export { type LabelledPicks, labelledPicks, pickWarnings } from "./lsr/LabelledPicks.ts"
export {
  type LsrBatch,
  type LsrBatchOptions,
  type LsrDraft,
  lsrBatches,
  type TaughtHit,
} from "./lsr/LsrBatches.ts"
export { type LsrLossSettings, lsrLoss, type TaughtInputs, type TaughtLoss } from "./lsr/LsrLoss.ts"
export { type LsrOptions, lsrObjective, type TaughtBatch, type TaughtCandidates } from "./lsr/LsrObjective.ts"
export { type LsrProgramOptions, lsrProgram } from "./lsr/LsrProgram.ts"
export { type LsrMeasurement, measureLsr } from "./lsr/MeasureLsr.ts"
export { memoryScores, type ScoreCache } from "./lsr/ScoreCache.ts"
export { type TargetShares, targetShares, targetWarnings, watchForFlight } from "./lsr/TargetWarnings.ts"
export type { AnswerScore, ScoredPair, TaughtCandidate, TaughtQuestion } from "./lsr/TaughtQuestion.ts"
export { localTeacher, remoteTeacher, type Scored, type ScorePairs, scorePairs, type Teacher } from "./lsr/Teacher.ts"
export { type LabelledText, labelledTexts } from "./ralt/LabelledText.ts"
export { foundPassages, goldPassage, PreparedPassage, PreparedQuestion } from "./ralt/PreparedQuestion.ts"
export { answerOf, preparedPassage, preparedQuestion } from "./ralt/PrepareQuestion.ts"
export { type RaltBatch, type RaltBatchOptions, raltBatches } from "./ralt/RaltBatches.ts"
export { type RaltDraw, type RaltExample, raltExamples } from "./ralt/RaltExamples.ts"
export { type RaltOptions, raltObjective, raltProgram } from "./ralt/RaltObjective.ts"
export { tokenWeights, type WeighedExample } from "./ralt/TokenWeights.ts"
export { allPassages } from "./retrieval/AllPassages.ts"
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
export { searchCharts } from "./retrieval/SearchPage.ts"
