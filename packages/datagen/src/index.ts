export type { Chunk } from "@tandem/documents"
export { type AuditPageOptions, auditPage } from "./audit/AuditPage.ts"
export {
  type Audit,
  type AuditedRow,
  type AuditSources,
  collectAudit,
  isSound,
  type ModelTokens,
} from "./audit/CollectAudit.ts"
export type { ChunkList } from "./ChunkList.ts"
export { conversationLine, conversationOf, type LinePlace, type RejectedLine, rejectedOf } from "./ConversationFile.ts"
export type { DatagenEvent, DatagenSummary, ObserveDatagen } from "./DatagenEvent.ts"
export { DatagenSettings, readDatagenSettings } from "./DatagenSettings.ts"
export {
  BudgetReached,
  EndpointDown,
  InvalidDatagenSettings,
  InvalidPromptFile,
  OutputFolderFailed,
  ResultStoreFailed,
  TooFewChunks,
} from "./Errors.ts"
export type { ExportFormat } from "./export/ExportFormat.ts"
export { type ExportName, exportFormats } from "./export/Exports.ts"
export { askTemplate } from "./export/Ralt.ts"
export { type PairPassage, type RetrieverPair, retrieverPair } from "./export/RetrieverPairs.ts"
export { type FormatSettings, type RowFormats, type RowValues, rowFormats } from "./format/RowFormats.ts"
export { shownPassage, shownPassages } from "./format/ShownPassages.ts"
export {
  groupsOf,
  type RowMaker,
  type RowSegment,
  type RowSettings,
  type RowTurn,
  rowMaker,
  segmentsLine,
  type TrainingRow,
  trainingRows,
} from "./format/TrainingRows.ts"
export type { Conversation, Item, Rejected, RejectingStage, Turn } from "./Item.ts"
export {
  type LintedRow,
  type LintFinding,
  type LintKind,
  type LintOptions,
  lintKinds,
  rowLinter,
} from "./lint/LintRow.ts"
export { type LintReport, lintRows, type PlacedFinding } from "./lint/LintRows.ts"
export { type Asked, askFor, type Question } from "./model/AskFor.ts"
export { type Budget, makeBudget } from "./model/Budget.ts"
export {
  type Asking,
  type Exchange,
  type Model,
  type ModelFailure,
  type ModelOptions,
  type ModelRequest,
  makeModel,
  type Shared,
} from "./model/Model.ts"
export { makeRateLimit, type RateLimit, type RateLimits } from "./model/RateLimit.ts"
export { jsonObjectsIn, type Spoken, withoutThoughts } from "./model/Reply.ts"
export {
  layerMemory,
  type ModelRole,
  memoryResults,
  Results,
  type ResultsShape,
  type StoredReply,
} from "./model/Results.ts"
export { estimateTokens } from "./model/TokenEstimate.ts"
export { type Needed, type PromptFile, promptFile } from "./prompt/PromptFile.ts"
export { type DatagenPrompts, neededBy } from "./prompt/Prompts.ts"
export type { Neighbours } from "./simulate/Candidates.ts"
export { holds, type Leak, type Leaks, makeLeaks } from "./simulate/Leaks.ts"
export { type SimulateOptions, simulateRetrieval } from "./simulate/Simulate.ts"
export { type ReferenceOptions, simulateAsReference } from "./simulate/SimulateAsReference.ts"
export { type Filtered, type FilterOptions, filterChunk, filterRequest } from "./stages/Filter.ts"
export {
  type ConversationOptions,
  conversationRequest,
  type Generated,
  generateConversation,
} from "./stages/GenerateConversation.ts"
export { type Judged, type JudgeOptions, judgeConversation } from "./stages/JudgeConversation.ts"
export { readTurns, turnsFormat } from "./stages/ReadTurns.ts"
export { readVerdict, type Verdict, verdictFormat } from "./stages/ReadVerdict.ts"
export {
  questionsRequest,
  readAnsweredQuestions,
  readQuestions,
  type WriteQuestionsOptions,
  type WrittenQuestion,
  type WrittenQuestions,
  writeQuestions,
} from "./stages/WriteQuestions.ts"
export { type Check, type Finding, reasonOf, type Verifier } from "./verify/Finding.ts"
export { type FindChunks, findByBm25, roundTrip } from "./verify/RoundTrip.ts"
export { conversationVerifier, type VerifyOptions } from "./verify/Verify.ts"
