import type { VjpCase } from "../../src/testing.ts"
import { activationCases } from "./Activations.ts"
import { einsumCases } from "./Einsum.ts"
import { elementwiseCases } from "./Elementwise.ts"
import { functionCases } from "./Functions.ts"
import { lookupCases } from "./Lookups.ts"
import { lossCases } from "./Losses.ts"
import { normCases } from "./Norms.ts"
import { pieceCases } from "./Pieces.ts"
import { productCases } from "./Products.ts"
import { quantizedProductCases } from "./QuantizedProducts.ts"
import { reductionCases } from "./Reductions.ts"
import { resizingCases } from "./Resizing.ts"
import { shapeCases } from "./Shapes.ts"
import { transformCases } from "./Transforms.ts"
import type { Case, Cases } from "./Values.ts"
import { windowCases } from "./Windows.ts"

/** Cases by the key of the rule that they check. */
export const cases: Cases = {
  ...activationCases,
  ...einsumCases,
  ...elementwiseCases,
  ...functionCases,
  ...lookupCases,
  ...lossCases,
  ...normCases,
  ...pieceCases,
  ...productCases,
  ...quantizedProductCases,
  ...reductionCases,
  ...resizingCases,
  ...shapeCases,
  ...transformCases,
  ...windowCases,
}

/** A case with the operator under whose key it stands. */
export const caseOf = (key: string, each: Case): VjpCase => {
  const dot = key.lastIndexOf(".")
  return { ...each, op: key.slice(dot + 1), ...(dot < 0 ? {} : { domain: key.slice(0, dot) }) }
}
