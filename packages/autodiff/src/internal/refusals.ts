import { operatorName } from "@tandem/onnx"
import { MissingGradient } from "../Errors.ts"
import type { RuleContext } from "../Rule.ts"

/** What of a node no rule knows. */
export interface Unsupported {
  /** The operand towards which there is no gradient. */
  readonly input: string
  readonly attribute: string
  readonly found: string
  readonly expected: string
}

/** The error for an attribute whose value no gradient is written for. */
export const unsupported = (
  { node, opset }: RuleContext,
  { input, attribute, found, expected }: Unsupported,
): MissingGradient => {
  const op = operatorName(node)
  return new MissingGradient({
    message: `${op} (opset ${opset}) with ${attribute} ${found} has no gradient towards input ${input}`,
    op,
    opset,
    input,
    node: node.name,
    expected: `${attribute} ${expected}`,
    found,
  })
}
