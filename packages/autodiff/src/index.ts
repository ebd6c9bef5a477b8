export { type DifferentiateOptions, differentiate, gradientName, influences } from "./Differentiate.ts"
export { Disconnected, MissingGradient, NotDifferentiable } from "./Errors.ts"
export {
  type Contribution,
  type Gradient,
  type Rule,
  type RuleContext,
  type RuleTable,
  ruleKey,
  type Shaped,
  type Stop,
  stop,
  type Todo,
  todo,
} from "./Rule.ts"
export { builtinRules, extend } from "./RuleTable.ts"
