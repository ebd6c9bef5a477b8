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
export type { Conversation, Item, Rejected, RejectingStage, Turn } from "./Item.ts"
