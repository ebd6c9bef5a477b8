import { InvalidGraph } from "./Errors.ts"

/** An einsum equation with its letters written out: one list of labels for each operand, and one for the result. */
export interface Einsum {
  readonly operands: readonly (readonly string[])[]
  readonly result: readonly string[]
}

/**
 * Reads an einsum equation for operands of these ranks. The axes behind `...` get labels of their own, the same for
 * all operands, counted from the last; a result that is not written down has the labels that stand once, in
 * alphabetical order, after those of `...`.
 *
 * @throws InvalidGraph where the equation does not fit the operands
 *
 * @example
 * ```ts
 * import { parseEinsum } from "@tandem/onnx/Einsum"
 *
 * console.log(parseEinsum("...ij,jk", [3, 2]).result) // [ ".0", "i", "k" ]
 * ```
 */
export const parseEinsum = (equation: string, ranks: readonly number[]): Einsum => {
  const text = equation.replaceAll(" ", "")
  const [left = "", right] = text.split("->")
  const terms = left.split(",")
  const refuse = (expected: string): never => {
    throw new InvalidGraph({
      message: `the equation ${equation} does not fit its operands`,
      expected,
      found: `${ranks}`,
    })
  }
  if (terms.length !== ranks.length) refuse(`${terms.length} operands`)
  const hidden = terms.map((term, index) => (term.includes("...") ? ranks[index]! - (term.length - 3) : 0))
  const widest = Math.max(0, ...hidden)
  const labels = (term: string, count: number): readonly string[] => {
    const dots = Array.from({ length: count }, (_, at) => `.${at + widest - count}`)
    const at = term.indexOf("...")
    return at < 0 ? [...term] : [...term.slice(0, at), ...dots, ...term.slice(at + 3)]
  }
  const operands = terms.map((term, index) => labels(term, hidden[index]!))
  for (const [index, { length }] of operands.entries()) {
    if (length !== ranks[index] || hidden[index]! < 0) refuse(`operand ${index} of rank ${length}`)
  }
  return { operands, result: right === undefined ? implied(operands, widest) : labels(right, widest) }
}

const implied = (operands: readonly (readonly string[])[], widest: number): readonly string[] => {
  const letters = operands.flat().filter((label) => !label.startsWith("."))
  const once = letters.filter((label) => letters.indexOf(label) === letters.lastIndexOf(label))
  return [...Array.from({ length: widest }, (_, at) => `.${at}`), ...once.sort()]
}
