export * as Bm25 from "./Bm25.ts"
export { EmbeddedStore, type EmbeddedStoreShape, embeddedLayer } from "./EmbeddedStore.ts"
export * as Exact from "./Exact.ts"
export {
  type Hit,
  KnowledgeStore,
  type KnowledgeStoreShape,
  type PassageBatch,
  type SearchRequest,
  type StoreMetadata,
} from "./KnowledgeStore.ts"
export { openLater } from "./OpenLater.ts"
export { readFolder, readMetadata } from "./ReadFolder.ts"
export type {
  IndexCache,
  LoadedContents,
  StoreContents,
  StoreFolder,
  StoreIdentity,
  StoreSimilarity,
} from "./StoreContents.ts"
export {
  type AddError,
  CorruptStoreError,
  DuplicateIdError,
  EngineUnavailableError,
  type GetError,
  IndexFailureError,
  InvalidRequestError,
  InvalidVectorError,
  type OpenError,
  PassageNotFoundError,
  type SearchError,
  StoreAccessError,
  StoreMismatchError,
} from "./StoreError.ts"
