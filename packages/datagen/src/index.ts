export type { Chunk } from "./Chunk.ts"
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
