export {
  type BertWeights,
  type BlockNames,
  bertConfig,
  bertParameters,
  blockNames,
  type Parameter,
  pickBertWeights,
} from "./Bert.ts"
export { bertGraph, bertInferenceGraph, bertInputs } from "./BertGraph.ts"
export type {
  Activation,
  Decoder,
  DecoderConfig,
  DecoderGraph,
  DecoderLayer,
  DecoderShape,
  LanguageModelSource,
  PrefixShape,
} from "./Decoder.ts"
export { decoderConfig, decoderTypes } from "./DecoderConfig.ts"
export { decoderGraph, decoderInputs } from "./DecoderGraph.ts"
export { decoderInferenceGraph } from "./DecoderInference.ts"
export { decoderParameters, type LanguageModelWeights, pickWeights } from "./DecoderParameters.ts"
export {
  type DropoutMask,
  type DropoutRates,
  type Encoder,
  type EncoderConfig,
  type EncoderGraph,
  type EncoderShape,
  type EncoderSource,
  embeddingSize,
  type LengthGroup,
  type Pooling,
  type Prompts,
} from "./Encoder.ts"
export {
  HubError,
  InvalidAdapter,
  InvalidEncoder,
  InvalidLanguageModel,
  InvalidTokenizer,
  isModelError,
  type ModelError,
  SaveFailed,
  SequenceTooLong,
  UnsupportedArchitecture,
  UnsupportedEncoder,
} from "./Errors.ts"
export { toFloat32 } from "./Floats.ts"
export { type HubId, isHubId, parseHubId } from "./HubId.ts"
export type { LanguageModel } from "./LanguageModel.ts"
export { matchParameters, type ParameterMatch, type ParameterMatches, type Partner } from "./MatchParameters.ts"
export { type OnnxDecoderParts, onnxDecoder } from "./OnnxDecoder.ts"
export { type OnnxEncoderParts, onnxConfig, onnxEncoder } from "./OnnxEncoder.ts"
export {
  type AttachedAdapter,
  attachPeftAdapter,
  modulesByValue,
  type PeftAdapter,
  type PeftDescription,
  peftTensors,
  readPeftAdapter,
  toPeftAdapter,
} from "./PeftAdapter.ts"
export { type PeftConfig, peftConfigJson, readPeftConfig } from "./PeftConfig.ts"
export { normalize, pool, pooledGraph, withPooling } from "./Pooling.ts"
export { type Buckets, distanceBuckets } from "./RelativePositions.ts"
export type { Rope, RopeScaling } from "./Rope.ts"
export {
  type Module,
  readModules,
  readPoolingMode,
  readPrompts,
  type SentenceTransformersSettings,
  sentenceTransformersFiles,
} from "./SentenceTransformers.ts"
export type { Positions, Seq2Seq, Seq2SeqConfig, Seq2SeqDropout, Seq2SeqGraph, Seq2SeqShape, Stack } from "./Seq2Seq.ts"
export { seq2seqConfig, seq2seqTypes } from "./Seq2SeqConfig.ts"
export { seq2seqGraph, seq2seqInputs } from "./Seq2SeqGraph.ts"
export { encoderInferenceGraph, mergedDecoderGraph, type Seq2SeqInference } from "./Seq2SeqInference.ts"
export { pickSeq2SeqWeights, type Seq2SeqWeights, seq2seqParameters } from "./Seq2SeqParameters.ts"
export { type TinyDecoderOptions, type TinyOptions, tinyDecoder, tinyEncoder } from "./Tiny.ts"
export { type TinySeq2SeqOptions, tinySeq2Seq } from "./TinySeq2Seq.ts"
export {
  type BatchOptions,
  type Encoded,
  type EncodedBatch,
  type EncodeOptions,
  encoderInputs,
  makeTokenizer,
  pad,
  type Text,
  type Tokenizer,
  type TokenizerFiles,
  type Truncation,
} from "./Tokenizer.ts"
export { tokenIds, type WeightsDecoderParts, weightsDecoder } from "./WeightsDecoder.ts"
export { type WeightsEncoderParts, weightsEncoder } from "./WeightsEncoder.ts"
export { type WeightsSeq2SeqParts, weightsSeq2Seq } from "./WeightsSeq2Seq.ts"
export { trainWordPiece, type WordPieceOptions } from "./WordPiece.ts"
export { readVocabulary, specialTokens, type WordPieceSettings, wordPieceFiles } from "./WordPieceFiles.ts"
