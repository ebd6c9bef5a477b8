import { NotDifferentiable } from "./Errors.ts"
import type { RuleTable } from "./Rule.ts"
import { activationRules } from "./rules/Activations.ts"
import { einsumRules } from "./rules/Einsum.ts"
import { elementwiseRules } from "./rules/Elementwise.ts"
import { functionRules } from "./rules/Functions.ts"
import { lookupRules } from "./rules/Lookups.ts"
import { lossRules } from "./rules/Losses.ts"
import { normRules } from "./rules/Norms.ts"
import { pieceRules } from "./rules/Pieces.ts"
import { productRules } from "./rules/Products.ts"
import { quantizedProductRules } from "./rules/QuantizedProducts.ts"
import { reductionRules } from "./rules/Reductions.ts"
import { resizingRules } from "./rules/Resizing.ts"
import { shapeRules } from "./rules/Shapes.ts"
import { sourceRules } from "./rules/Sources.ts"
import { transformRules } from "./rules/Transforms.ts"
import { windowRules } from "./rules/Windows.ts"

/** A new table with the rules of both; an operator that stands in both is refused. */
export const extend = (table: RuleTable, added: RuleTable): RuleTable => {
  const twice = Object.keys(added).find((op) => Object.hasOwn(table, op))
  if (twice !== undefined) {
    throw new NotDifferentiable({ message: `operator ${twice} has a gradient rule already`, op: twice })
  }
  return { ...table, ...added }
}

/** The rules of this package. */
export const builtinRules: RuleTable = [
  activationRules,
  einsumRules,
  functionRules,
  lookupRules,
  lossRules,
  normRules,
  pieceRules,
  productRules,
  quantizedProductRules,
  reductionRules,
  resizingRules,
  shapeRules,
  sourceRules,
  transformRules,
  windowRules,
].reduce(extend, elementwiseRules)
