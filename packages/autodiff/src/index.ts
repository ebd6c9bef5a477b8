export { type DifferentiateOptions, differentiate, gradientName } from "./Differentiate.ts"
export { Disconnected, InvalidLora, MissingGradient, NotDifferentiable } from "./Errors.ts"
export { differentiateWithGaps, findGaps, type Gap, type GappedGradient } from "./Gaps.ts"
export type { CodeBlocks } from "./internal/linearSites.ts"
export { linearModules, type ModuleBlock, type Modules } from "./internal/loraTargets.ts"
export { firstInfluences, influences } from "./internal/path.ts"
export { addLora, type LoraAdapter, type LoraGraph, type LoraSettings } from "./Lora.ts"
export { initialAdapters, mergeAdapters } from "./LoraValues.ts"
export type { Recompute } from "./Recompute.ts"
export {
  type Addition,
  type Contribution,
  type Gradient,
  type RowGradient,
  type Rule,
  type RuleContext,
  type RuleTable,
  type Shaped,
  type Stop,
  stop,
  type Todo,
  todo,
} from "./Rule.ts"
export { builtinRules, extend } from "./RuleTable.ts"
