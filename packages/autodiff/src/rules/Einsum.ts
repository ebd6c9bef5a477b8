import { string, stringAttribute, type Value } from "@tandem/onnx"
import { parseEinsum } from "@tandem/onnx/Einsum"
import { numbersLike } from "../internal/constants.ts"
import { unsupported } from "../internal/refusals.ts"
import type { Gradient, RuleContext, RuleTable, Shaped } from "../Rule.ts"

/** A value with a label for each axis. */
interface Labelled {
  readonly value: Shaped
  readonly labels: readonly string[]
}

/** Σ over the labels that `wanted` lacks of the product of all factors. */
const contract = (context: RuleContext, factors: readonly Labelled[], wanted: readonly string[]): Shaped => {
  const { g } = context
  const letters = new Map<string, string>()
  const letter = (label: string): string => {
    const known = letters.get(label) ?? "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[letters.size]!
    letters.set(label, known)
    return known
  }
  const term = (labels: readonly string[]): string => labels.map(letter).join("")
  const equation = `${factors.map(({ labels }) => term(labels)).join(",")}->${term(wanted)}`
  const dims = wanted.map((label) => sizeOf(factors, label))
  const options = { attributes: { equation: string(equation) } }
  const values = factors.map(({ value }) => value)
  return { ...g.op("Einsum", values, { ...options, outputs: [{ type: context.dY.type, dims }] })[0]!, dims }
}

/** The size of a label; where operands were broadcast along it, the larger one. */
const sizeOf = (factors: readonly Labelled[], label: string): number =>
  Math.max(1, ...factors.flatMap(({ value, labels }) => value.dims.filter((_, axis) => labels[axis] === label)))

/**
 * By one operand: the product of the result's gradient with all other operands, summed over every label that the
 * operand lacks; along a label that only the operand has, which was summed, the gradient is the same everywhere; where
 * a label stands twice, only the diagonal was read.
 */
const einsum: Gradient = (context, index) => {
  const { g, node, operands, dY } = context
  const equation = stringAttribute(node, "equation", "")
  const parsed = parseEinsum(
    equation,
    operands.map(({ dims }) => dims.length),
  )
  if (new Set(parsed.result).size < parsed.result.length) {
    throw unsupported(context, {
      input: "Inputs",
      attribute: "equation",
      found: equation,
      expected: "distinct results",
    })
  }
  const own = parsed.operands[index]!
  const { dims } = operands[index]!
  const distinct = own.filter((label, axis) => own.indexOf(label) === axis)
  const others = operands.flatMap((value, at) => (at === index ? [] : [{ value, labels: parsed.operands[at]! }]))
  const factors = [...(parsed.result.length === 0 ? [] : [{ value: dY, labels: parsed.result }]), ...others]
  const reached = distinct.filter((label) => factors.some(({ labels }) => labels.includes(label)))
  const product = factors.length === 0 ? dY : contract(context, factors, reached)
  const whole = parsed.result.length === 0 && factors.length > 0 ? g.mul(product, dY) : product
  const size = (label: string): number => (reached.includes(label) ? sizeOf(factors, label) : 1)
  const full = g.reshape(whole, distinct.map(size))
  const sizes = distinct.map((label) => Math.max(size(label), dims[own.indexOf(label)]!))
  return onDiagonal(context, g.expand(full, sizes), own, distinct, sizes)
}

/** A value by distinct labels at the places where equal labels have equal indices, zeros elsewhere. */
const onDiagonal = (
  { g, dY }: RuleContext,
  value: Value,
  own: readonly string[],
  distinct: readonly string[],
  sizes: readonly number[],
): Value => {
  const first = own.map((label, axis) => own.indexOf(label) === axis)
  const sizeAt = (axis: number): number => sizes[distinct.indexOf(own[axis]!)]!
  const spread = g.reshape(
    value,
    own.map((_, axis) => (first[axis] ? sizeAt(axis) : 1)),
  )
  return own.reduce((masked: Value, label, axis) => {
    if (first[axis]) return masked
    const size = sizeAt(axis)
    const unit = Array.from({ length: size * size }, (_, at) => (Math.floor(at / size) === at % size ? 1 : 0))
    const pair = [own.indexOf(label), axis]
    const mask = numbersLike(
      g,
      dY,
      own.map((_, at) => (pair.includes(at) ? size : 1)),
      unit,
    )
    return g.mul(masked, mask)
  }, spread)
}

/** The gradient of einsum is an einsum. */
export const einsumRules: RuleTable = {
  Einsum: [{ since: 12, variadic: true, inputs: { Inputs: einsum } }],
}
