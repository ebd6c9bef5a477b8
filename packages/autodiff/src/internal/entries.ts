import { type Graph, type Node, operatorName } from "@tandem/onnx"
import { MissingGradient } from "../Errors.ts"
import type { Rule, RuleTable } from "../Rule.ts"

/** The rule for a node, of the newest version that its operator set has. */
export const ruleFor = (graph: Graph, node: Node, rules: RuleTable): Rule | undefined => {
  const opset = graph.opsets.get(node.domain) ?? 1
  const key = operatorName(node)
  return Object.hasOwn(rules, key) ? rules[key]?.filter((rule) => rule.since <= opset).at(-1) : undefined
}

/** The formal name of the operand at a position. */
export const formalAt = (rule: Rule | undefined, index: number): string | undefined => {
  if (rule === undefined) return undefined
  const formals = formalsOf.get(rule) ?? Object.keys(rule.inputs)
  formalsOf.set(rule, formals)
  return formals[index] ?? (rule.variadic === true ? formals.at(-1) : undefined)
}

const formalsOf = new WeakMap<Rule, readonly string[]>()

/** What a rule says of the operand at a position. */
export const entryAt = (rule: Rule | undefined, index: number): Rule["inputs"][string] | undefined => {
  const formal = formalAt(rule, index)
  return formal === undefined ? undefined : rule?.inputs[formal]
}

/** Whether a rule says that the result has no derivative by the operand, so that no path leads through it. */
export const isStop = (graph: Graph, rules: RuleTable, node: Node, index: number): boolean => {
  const entry = entryAt(ruleFor(graph, node, rules), index)
  return entry !== undefined && "stop" in entry
}

/** The error for an operand towards which a node has no gradient. */
export const missingAt = (
  graph: Graph,
  node: Node,
  rule: Rule | undefined,
  index: number,
  reason: string,
): MissingGradient => {
  const opset = graph.opsets.get(node.domain) ?? 0
  return new MissingGradient({
    message: `${operatorName(node)} (opset ${opset}) has no gradient towards input ${formalAt(rule, index) ?? index}: ${reason}`,
    op: operatorName(node),
    opset,
    input: formalAt(rule, index) ?? `${index}`,
    node: node.name,
  })
}
