export { type BlockOptions, type BlockWeight, fromBlocks, type ToBlocksOptions, toBlocks } from "./BlockWeight.ts"
export {
  DataDependentBranch,
  DataDependentShape,
  InvalidGraph,
  InvalidModel,
  InvalidTensor,
  UnknownOperatorSet,
  UnsupportedAttribute,
  UnsupportedModel,
} from "./Errors.ts"
export {
  type Attribute,
  type Attributes,
  consumers,
  type Dim,
  type Dims,
  describeValue,
  float,
  floatAttribute,
  type Graph,
  int,
  intAttribute,
  ints,
  intsAttribute,
  type Node,
  operatorName,
  producers,
  reads,
  staticDims,
  string,
  stringAttribute,
  type Value,
} from "./Graph.ts"
export { builderOpset, type GemmOptions, GraphBuilder, type GraphCall, type OpOptions } from "./GraphBuilder.ts"
export { type ExternalData, type ReadModelOptions, readModel } from "./Model.ts"
export { bareName, joinParts, jointName, matchesPattern, partOf, takePart } from "./ParameterNames.ts"
export { chooseBranches, mergeBranches } from "./passes/ChooseBranch.ts"
export { deadCode } from "./passes/DeadCode.ts"
export { decompose } from "./passes/Decompose.ts"
export { fold } from "./passes/Fold.ts"
export { fuse } from "./passes/Fuse.ts"
export { type HalfOptions, toHalf } from "./passes/Half.ts"
export { inferShapes } from "./passes/InferShapes.ts"
export { lower } from "./passes/Lower.ts"
export { neededRows } from "./passes/NeededRows.ts"
export { type PrepareOptions, prepare } from "./passes/Prepare.ts"
export { type QuantizeOptions, quantizeDynamic } from "./passes/Quantize.ts"
export {
  blockTensors,
  productWeights,
  type QuantizeBlocksOptions,
  quantizeBlocks,
  withBlocks,
} from "./passes/QuantizeBlocks.ts"
export { newestOpset, oldestOpset, upgrade } from "./passes/Upgrade.ts"
export { isRandom } from "./RandomNodes.ts"
export type { Similarity } from "./Similarity.ts"
export {
  bool,
  bytesOf,
  bytesPerElement,
  type ElementType,
  elementCount,
  type Float32Tensor,
  float32,
  fromBytes,
  int32,
  int64,
  type Tensor,
  type TensorData,
  tensor,
  toInt32,
  toInt64,
  toNumbers,
  zeros,
} from "./Tensor.ts"
export { type ByteRange, type TensorLocation, tensorLocations } from "./TensorLocations.ts"
export { type WriteBackOptions, type WrittenBack, writeBack, writeBackExternal } from "./WriteBack.ts"
export {
  type WriteExternalOptions,
  type WriteModelOptions,
  type WrittenExternal,
  writeModel,
  writeModelExternal,
} from "./WriteModel.ts"
