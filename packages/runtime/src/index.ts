export { CompileFailed, ProviderUnavailable, RunFailed, type RuntimeError } from "./Errors.ts"
export { handOverWeights, type PlacedWeights, placeWeights, singleInMemory } from "./PlaceWeights.ts"
export {
  type Buffer,
  type CompileOptions,
  type Device,
  type Executable,
  type Feed,
  type HostFunction,
  type HostKernel,
  type KernelPart,
  type NodeProvider,
  type NumericType,
  type Provider,
  type RunOptions,
  Runtime,
  type WebProvider,
} from "./Runtime.ts"
export { type SpecializeError, type SpecializeOptions, specialize } from "./Specialize.ts"
