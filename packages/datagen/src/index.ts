export type { Chunk } from "@tandem/documents"
export { conversationLine, conversationOf, type LinePlace, rejectedLine, rejectedOf } from "./ConversationFile.ts"
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
export type { Neighbours } from "./simulate/Candidates.ts"
export { holds, type Leak, type Leaks, makeLeaks } from "./simulate/Leaks.ts"
export { type SimulateOptions, simulateRetrieval } from "./simulate/Simulate.ts"
export { type ReferenceOptions, simulateAsReference } from "./simulate/SimulateAsReference.ts"
export { type Check, type Finding, reasonOf, type Verifier } from "./verify/Finding.ts"
export { type FindChunks, findByBm25, roundTrip } from "./verify/RoundTrip.ts"
export { conversationVerifier, type VerifyOptions } from "./verify/Verify.ts"
