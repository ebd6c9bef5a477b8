export {
  type AttachedAdapter,
  attachPeftAdapter,
  modulesByValue,
  type PeftAdapter,
  type PeftDescription,
  peftTensors,
  readPeftAdapter,
  toPeftAdapter,
} from "./adapter/PeftAdapter.ts"
export { type PeftConfig, peftConfigJson, readPeftConfig } from "./adapter/PeftConfig.ts"
export type {
  Activation,
  Decoder,
  DecoderConfig,
  DecoderFamily,
  DecoderGraph,
  DecoderLayer,
  DecoderShape,
  LanguageModelSource,
  PrefixShape,
  QuantizedWeights,
} from "./decoder/Decoder.ts"
export { decoderConfig, decoderTypes } from "./decoder/DecoderConfig.ts"
export { decoderGraph, decoderInputs } from "./decoder/DecoderGraph.ts"
export { decoderInferenceGraph } from "./decoder/DecoderInference.ts"
export { decoderParameters, pickDecoderWeights } from "./decoder/DecoderParameters.ts"
export type { CacheShape, Decoding } from "./decoder/Decoding.ts"
export { type OnnxDecoderParts, onnxDecoder } from "./decoder/OnnxDecoder.ts"
export { dequantizeWeights, type QuantizeWeightsOptions, quantizeWeights } from "./decoder/QuantizedDecoder.ts"
export type { Rope, RopeScaling } from "./decoder/Rope.ts"
export { type TinyDecoderOptions, tinyDecoder } from "./decoder/TinyDecoder.ts"
export { type WeightsDecoderParts, weightsDecoder } from "./decoder/WeightsDecoder.ts"
export {
  HubError,
  InvalidAdapter,
  InvalidEncoder,
  InvalidLanguageModel,
  InvalidTokenizer,
  isModelError,
  type ModelError,
  NotOnHub,
  SaveFailed,
  SequenceTooLong,
  UnsupportedArchitecture,
  UnsupportedEncoder,
} from "./Errors.ts"
export {
  type BertWeights,
  bertConfig,
  bertParameters,
  blockNames,
  pickBertWeights,
} from "./encoder/Bert.ts"
export type { BlockNames } from "./encoder/BertFamilies.ts"
export { bertGraph, bertInferenceGraph, bertInputs } from "./encoder/BertGraph.ts"
export { encoderTypes } from "./encoder/BertTypes.ts"
export {
  type BertConfig,
  type BertFamily,
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
} from "./encoder/Encoder.ts"
export { type OnnxEncoderParts, onnxEncoder, onnxEncoderConfig } from "./encoder/OnnxEncoder.ts"
export { normalize, pool, pooledGraph, withPooling } from "./encoder/Pooling.ts"
export { type TinyEncoderOptions, tinyEncoder } from "./encoder/TinyEncoder.ts"
export { type WeightsEncoderParts, weightsEncoder } from "./encoder/WeightsEncoder.ts"
export {
  matchParameters,
  type ParameterMatch,
  type ParameterMatches,
  type Partner,
} from "./exported/MatchParameters.ts"
export { storedSettings } from "./exported/TrainableParameters.ts"
export { toFloat32 } from "./Floats.ts"
export { type HubId, isHubId, parseHubId } from "./files/HubId.ts"
export { type ModelKind, modelKind, modelTypes } from "./files/ModelTypes.ts"
export {
  type Module,
  readModules,
  readPoolingMode,
  readPrompts,
  type SentenceTransformersSettings,
  sentenceTransformersFiles,
  similarityOf,
} from "./files/SentenceTransformers.ts"
export type { LanguageModelWeights } from "./internal/PickWeights.ts"
export type { LanguageModel } from "./LanguageModel.ts"
export type { Parameter } from "./Parameter.ts"
export { type Buckets, distanceBuckets } from "./seq2seq/RelativePositions.ts"
export type {
  Positions,
  Seq2Seq,
  Seq2SeqConfig,
  Seq2SeqDropout,
  Seq2SeqFamily,
  Seq2SeqGraph,
  Seq2SeqShape,
  Stack,
} from "./seq2seq/Seq2Seq.ts"
export { seq2seqConfig, seq2seqTypes } from "./seq2seq/Seq2SeqConfig.ts"
export { seq2seqGraph, seq2seqInputs } from "./seq2seq/Seq2SeqGraph.ts"
export {
  type Seq2SeqInference,
  seq2seqDecoderInferenceGraph,
  seq2seqEncoderInferenceGraph,
} from "./seq2seq/Seq2SeqInference.ts"
export { pickSeq2SeqWeights, type Seq2SeqWeights, seq2seqParameters } from "./seq2seq/Seq2SeqParameters.ts"
export { type TinySeq2SeqOptions, tinySeq2Seq } from "./seq2seq/TinySeq2Seq.ts"
export { type WeightsSeq2SeqParts, weightsSeq2Seq } from "./seq2seq/WeightsSeq2Seq.ts"
export { tokenIds } from "./tokenizer/TokenIds.ts"
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
} from "./tokenizer/Tokenizer.ts"
export { trainWordPiece, type WordPieceOptions } from "./tokenizer/WordPiece.ts"
export { readVocabulary, specialTokens, type WordPieceSettings, wordPieceFiles } from "./tokenizer/WordPieceFiles.ts"
