export { answerTokens, hasAnswer, type PreparedText, prepareText } from "./AnswerRecall.ts"
export {
  type AnswerMetricName,
  type AnswerMetrics,
  type AnswerReport,
  type AnswerResult,
  compareAnswers,
  evaluateAnswers,
} from "./AnswerReport.ts"
export { exactMatch, normalizeAnswer, tokenF1 } from "./Answers.ts"
export { averageRank } from "./AverageRank.ts"
export {
  type BootstrapOptions,
  bootstrapMean,
  bootstrapRatio,
  type Interval,
  pairedBootstrap,
  pairedBootstrapRatio,
  type Ratio,
} from "./Bootstrap.ts"
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
export { rougeL } from "./RougeL.ts"
export { formatRun, parseQrels, parseRun, type Qrels, type Run, rankDocuments, type TrecSource } from "./Trec.ts"
export {
  type Verdict,
  type VerdictDifference,
  type VerdictNeed,
  type VerdictSystem,
  verdict,
} from "./Verdict.ts"
