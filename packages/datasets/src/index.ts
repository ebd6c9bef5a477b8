export { beirCorpus, beirJudgements, beirQueries, parseBeir } from "./Beir.ts"
export { dprJson, parseDpr, parseDprLines } from "./Dpr.ts"
export { dprCorpusTsv, parseDprCorpus, parseDprQa } from "./DprTsv.ts"
export {
  type DatasetError,
  DuplicatePassageError,
  EmptyFileError,
  InvalidGzipError,
  InvalidJsonError,
  InvalidRowError,
  InvalidUtf8Error,
  isDatasetError,
  NoExamplesError,
  TruncatedJsonError,
  UnknownFormatError,
  UnknownPassageError,
  UnreadableFileError,
  UnwritableFileError,
} from "./Errors.ts"
export type { DataStatistics, Example, RetrievalData } from "./Example.ts"
export { type Format, formats, recogniseFormat } from "./Format.ts"
export { corpusLines, exampleLines, parseCorpus, parseExamples } from "./JsonLines.ts"
export { type DataWarning, overlapWarnings } from "./Overlap.ts"
export { documentOf, type Passage } from "./Passage.ts"
export { Random, type RandomState } from "./Random.ts"
export { type AssembleOptions, RetrievalDataBuilder } from "./RetrievalData.ts"
export { type SameDocumentOptions, sameDocumentNegatives } from "./SameDocumentNegatives.ts"
export { sameText } from "./SameText.ts"
export { type ExampleRow, type PassageRow, type Place, type Source, sourceOf } from "./Source.ts"
export { cutSpaceless, isSpaceless, spacelessScripts } from "./SpacelessScripts.ts"
export { parseSquad, parseSquadPassages } from "./Squad.ts"
export { parseQrels, parseTrecRun, type Qrels, type TrecRun, trecRun } from "./Trec.ts"
export { makeWorld, type World, type WorldOptions, type WorldStatistics, worldRelations } from "./World.ts"
