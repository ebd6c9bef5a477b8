export { type Embeddings, type EncodeAllOptions, encodeAll } from "./EncodeAll.ts"
export {
  type EncodeCounts,
  makeTextEncoder,
  type OnEncodeProgress,
  type TextEncoder,
  type TextEncoderOptions,
  tokenizeTexts,
} from "./EncodeTexts.ts"
export { TowerMismatchError } from "./Errors.ts"
export { type FingerprintOptions, fingerprint } from "./Fingerprint.ts"
export { type EncodeCorpusOptions, encodeCorpus, type OpenIndex, openIndex } from "./IndexCorpus.ts"
export {
  defaultTitles,
  type EncoderInput,
  encodeInput,
  type RenderOptions,
  renderText,
  type TextKind,
  type Titles,
} from "./PassageText.ts"
export { makeRetrieve, type Retrieve, type RetrieveOptions } from "./Retrieve.ts"
export {
  type IndexOptions,
  type IndexProgress,
  makeRetriever,
  Retriever,
  type RetrieverOptions,
  type RetrieverShape,
  type SearchResult,
} from "./Retriever.ts"
export { type IndexSettings, storeIdentity } from "./StoreIdentity.ts"
export {
  encoderOf,
  partOfSide,
  type Side,
  sharedTower,
  type Tower,
  type Towers,
  towerFrom,
  towerName,
  towerOf,
  towerParameters,
  untiedTowers,
} from "./Towers.ts"
