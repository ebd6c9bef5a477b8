export { questionOf } from "./Conversation.ts"
export { InvalidAskError, KnowledgeSourceError, type RagError } from "./Errors.ts"
export { type FoundPassage, type KnowledgeSource, type SourcePassage, sourceOf } from "./KnowledgeSource.ts"
export { layerParts, makeRag } from "./MakeRag.ts"
export { type Cancellable, clientOf, openClient, type RagClient, type TokenizedCall } from "./RagClient.ts"
export type { Knowledge, RagParts, Reader, Searched } from "./RagParts.ts"
export {
  type Answer,
  type AnswerSource,
  type AnswerToken,
  type AskDecoding,
  type AskEvent,
  type AskOptions,
  type EmbedAs,
  Rag,
  type RagFacts,
  type RagSystem,
  type Source,
  type TokenizedTexts,
} from "./RagSystem.ts"
export { type ReadRagError, type ReadRagOptions, readRag } from "./ReadRag.ts"
