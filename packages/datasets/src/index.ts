export { beirCorpus, beirJudgements, beirQueries, parseBeir } from "./Beir.ts"
export { chatRows, parseChat } from "./Chat.ts"
export { contentHash, passageIdOf } from "./ContentHash.ts"
export { type DataWarning, ignoredTitles } from "./DataWarning.ts"
export { dprJson, dprRows, parseDpr, parseDprLines } from "./Dpr.ts"
export { dprCorpusTsv, parseDprCorpus, parseDprQa } from "./DprTsv.ts"
export {
  type DatasetError,
  DuplicatePassageError,
  EmptyFileError,
  InvalidGzipError,
  InvalidJsonError,
  InvalidParquetError,
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
export {
  type ForeignWorld,
  type ForeignWorldOptions,
  type ForeignWorldStatistics,
  type Lesson,
  makeForeignWorld,
} from "./ForeignWorld.ts"
export {
  type Container,
  type Format,
  formats,
  instructionFormats,
  recogniseContainer,
  recogniseFormat,
} from "./Format.ts"
export { collectInstructions, type InstructionData, type InstructionStatistics } from "./InstructionData.ts"
export {
  type ChatMessage,
  type Conversation,
  type InstructionExample,
  type InstructionRow,
  instructionOf,
  type Segment,
  type SegmentedText,
} from "./InstructionExample.ts"
export {
  type InstructionMix,
  type InstructionSet,
  type MixedSet,
  type MixOptions,
  mixInstructions,
} from "./InstructionMix.ts"
export { corpusLines, corpusRows, exampleLines, exampleRows, parseCorpus, parseExamples } from "./JsonLines.ts"
export { overlapWarnings } from "./Overlap.ts"
export { documentOf, type Passage, readablePassage } from "./Passage.ts"
export { type AssembleOptions, RetrievalDataBuilder } from "./RetrievalData.ts"
export { type SameDocumentOptions, sameDocumentNegatives } from "./SameDocumentNegatives.ts"
export { sameText } from "./SameText.ts"
export { parseSegments, segmentRows, segmentTokens } from "./Segments.ts"
export {
  type ExampleRow,
  type PassageRow,
  type Place,
  type Remark,
  type Source,
  sourceOf,
  type TableRow,
} from "./Source.ts"
export { cutSpaceless, isSpaceless, spacelessScripts } from "./SpacelessScripts.ts"
export { parseSquad, parseSquadPassages } from "./Squad.ts"
export { type InstructionTemplate, templateRows } from "./Template.ts"
export { parseQrels, parseTrecRun, type Qrels, type TrecRun, trecRun } from "./Trec.ts"
export { makeWorld, type World, type WorldOptions, type WorldStatistics, worldRelations } from "./World.ts"
