export type { Chunk } from "@tandem/documents"
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
export { type FormatSettings, type RowFormats, type RowValues, rowFormats } from "./format/RowFormats.ts"
export { shownPassage, shownPassages } from "./format/ShownPassages.ts"
export {
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
export type { Neighbours } from "./simulate/Candidates.ts"
export { holds, type Leak, type Leaks, makeLeaks } from "./simulate/Leaks.ts"
export { type SimulateOptions, simulateRetrieval } from "./simulate/Simulate.ts"
export { type ReferenceOptions, simulateAsReference } from "./simulate/SimulateAsReference.ts"
