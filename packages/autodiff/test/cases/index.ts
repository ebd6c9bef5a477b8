import type { VjpCase } from "../../src/testing.ts"
import { elementwiseCases } from "./Elementwise.ts"
import { productCases } from "./Products.ts"
import { reductionCases } from "./Reductions.ts"
import { shapeCases } from "./Shapes.ts"
import type { Case, Cases } from "./Values.ts"

/** Cases by the key of the rule that they check. */
export const cases: Cases = { ...elementwiseCases, ...productCases, ...reductionCases, ...shapeCases }

/** A case with the operator under whose key it stands. */
export const caseOf = (key: string, each: Case): VjpCase => {
  const dot = key.lastIndexOf(".")
  return { ...each, op: key.slice(dot + 1), ...(dot < 0 ? {} : { domain: key.slice(0, dot) }) }
}
