export { answerTokens, hasAnswer, type PreparedText, prepareText } from "./AnswerRecall.ts"
export { type AnswerEvaluation, evaluateAnswers, exactMatch, normalizeAnswer, tokenF1 } from "./Answers.ts"
export { averageRank } from "./AverageRank.ts"
export { type BootstrapOptions, bootstrapMean, type Interval, pairedBootstrap } from "./Bootstrap.ts"
export { InvalidEvaluation, InvalidPattern, InvalidTrecFile } from "./EvalsError.ts"
export { withoutOwnHit } from "./OwnHit.ts"
export {
  averagePrecision,
  evaluateRun,
  type JudgedRanking,
  ndcg,
  precisionAt,
  type RankingFigures,
  type RunEvaluation,
  recallAt,
  reciprocalRank,
  rPrecision,
} from "./Ranking.ts"
export {
  evaluateRetrieval,
  type RetrievalMetricName,
  type RetrievalMetrics,
  type RetrievalReport,
  type RetrievalResult,
} from "./RetrievalReport.ts"
export { formatRun, parseQrels, parseRun, type Qrels, type Run, rankDocuments, type TrecSource } from "./Trec.ts"
