import { type Graph, type Node, operatorName, type Value } from "@tandem/onnx"
import { differentiate } from "./Differentiate.ts"
import { Disconnected, MissingGradient, NotDifferentiable } from "./Errors.ts"
import { entryAt, isStop, missingAt, ruleFor } from "./internal/entries.ts"
import { pathsTo, type Stops } from "./internal/path.ts"
import type { Gradient, Rule, RuleTable, Stop } from "./Rule.ts"
import { builtinRules } from "./RuleTable.ts"

/** A place where a gradient would have to pass and cannot. */
export interface Gap {
  readonly node: string
  /** Operator, with its domain where that is not ONNX's own. */
  readonly op: string
  /** Position of the operand; undefined where the node as a whole is meant. */
  readonly input: number | undefined
  /** Name of the operand. */
  readonly value: string | undefined
  readonly reason: string
}

/**
 * Every operand on a path from `wrt` to one of the outputs towards which the table holds no gradient, and every value of
 * `wrt` all of whose ways end where mathematics has none. Shapes need not be known; where types are not, a value counts
 * as a float. What a rule refuses because of attribute values shows only
 * in `differentiateWithGaps`.
 */
export const findGaps = (
  graph: Graph,
  outputs: readonly string[],
  wrt: readonly string[],
  rules: RuleTable = builtinRules,
): readonly Gap[] => {
  const { onPath, severed } = reachable(graph, outputs, wrt, rules)
  const missing = graph.nodes.flatMap((node) => {
    if (!node.outputs.some((name) => onPath.has(name))) return []
    const rule = ruleFor(graph, node, rules)
    return node.inputs.flatMap((value, input): Gap[] => {
      const entry = entryAt(rule, input)
      if (!onPath.has(value) || typeof entry === "function" || (entry !== undefined && "stop" in entry)) return []
      return [{ node: node.name, op: operatorName(node), input, value, reason: reasonOf(graph, node, rule, entry) }]
    })
  })
  return [...severed, ...missing]
}

const stopsOf = (graph: Graph, rules: RuleTable): Stops => ({
  passes: (node, index) => !isStop(graph, rules, node, index),
  error: (node, index) => {
    const rule = ruleFor(graph, node, rules)
    return missingAt(graph, node, rule, index, reasonOf(graph, node, rule, entryAt(rule, index)))
  },
})

/** Which values lie on paths with a gradient to the outputs, and why others that influence one have none. */
const reachable = (graph: Graph, outputs: readonly string[], wrt: readonly string[], rules: RuleTable) => {
  const paths = pathsTo(graph, outputs, wrt, stopsOf(graph, rules))
  const severed = [...paths.severed].map(([value, error]): Gap => {
    const { node = "", op = "" } = error instanceof MissingGradient ? error : {}
    return { node, op, input: undefined, value, reason: error.message }
  })
  return { onPath: paths.onPath, severed }
}

/** What `differentiateWithGaps` gives. */
export interface GappedGradient {
  readonly gaps: readonly Gap[]
  /**
   * Loss and gradients in one graph, undefined where it could not be built. Where there are gaps it takes them for zero:
   * it shows what a step would cost, and its gradients are wrong.
   */
  readonly graph: Graph | undefined
}

/**
 * `differentiate`, but instead of failing at the first operand without a gradient it lists them all. The graph must be
 * static. For reports; never train with the result.
 */
export const differentiateWithGaps = (
  graph: Graph,
  {
    loss,
    wrt,
    rules = builtinRules,
  }: { readonly loss: string; readonly wrt: readonly string[]; readonly rules?: RuleTable },
): GappedGradient => {
  const { onPath, severed } = reachable(graph, [loss], wrt, rules)
  const connected = wrt.filter((name) => onPath.has(name))
  const gaps: Gap[] = [...severed]
  const record = (node: Node, input: number | undefined, reason: string): void => {
    const value = input === undefined ? undefined : node.inputs[input]
    gaps.push({ node: node.name, op: operatorName(node), input, value, reason })
  }
  const widest = new Map<string, Node>()
  for (const node of graph.nodes) {
    const known = widest.get(operatorName(node))
    if (known === undefined || node.inputs.length > known.inputs.length) widest.set(operatorName(node), node)
  }
  const original = originals(graph)
  const lenient = Object.fromEntries(
    [...widest].map(([key, node]) => {
      const rule = ruleFor(graph, node, rules)
      return [key, [lenientRule(graph, rule, node.inputs.length, record, original)]]
    }),
  )
  try {
    return { graph: differentiate(graph, { loss, wrt: connected, rules: lenient }), gaps }
  } catch (error) {
    if (!(error instanceof MissingGradient || error instanceof NotDifferentiable || error instanceof Disconnected)) {
      throw error
    }
    const node = graph.nodes.find(({ name }) => name === error.node)
    const place = { node: error.node ?? "", op: error.op ?? "", input: undefined, value: error.tensor }
    if (node !== undefined) record(node, undefined, error.message)
    else gaps.push({ ...place, reason: error.message })
    return { graph: undefined, gaps }
  }
}

const reasonOf = (
  graph: Graph,
  node: Node,
  rule: Rule | undefined,
  entry: Rule["inputs"][string] | undefined,
): string => {
  if (rule === undefined)
    return `no gradient rule for ${operatorName(node)} (opset ${graph.opsets.get(node.domain) ?? "?"})`
  if (entry === undefined || typeof entry === "function") return "no gradient towards this operand"
  return "stop" in entry ? entry.stop : entry.todo
}

/** A rule that puts zeros in the place of what it cannot differentiate, and says so. */
const lenientRule = (
  graph: Graph,
  rule: Rule | undefined,
  width: number,
  record: (node: Node, input: number | undefined, reason: string) => void,
  original: (node: Node) => Node,
): Rule => {
  const formals = Object.keys(rule?.inputs ?? {})
  const names = Array.from(
    { length: Math.max(width, formals.length) },
    (_, index) => formals[index] ?? `input ${index}`,
  )
  const towards = (entry: Rule["inputs"][string] | undefined): Gradient | Stop => {
    if (entry !== undefined && "stop" in entry) return entry
    return (context, index) => {
      const node = original(context.node)
      const target = context.in[names[index] ?? ""] ?? context.operands[index]!
      const nothing = () => context.g.expand(context.g.cast(context.g.scalar(0), target.type ?? "float32"), target.dims)
      const refuse = (reason: string) => {
        record(node, index, reason)
        return nothing()
      }
      if (typeof entry !== "function") return refuse(reasonOf(graph, node, rule, entry))
      const further = context.dout.slice(1).some((value) => value !== undefined)
      if (further && rule?.everyOutput !== true) return refuse("the loss depends on a further output of the node")
      if (context.dout[0] === undefined && rule?.everyOutput !== true) return nothing()
      const guarded = <A>(body: () => A, otherwise: () => Value): A | Value => {
        try {
          return body()
        } catch (error) {
          if (!(error instanceof NotDifferentiable || error instanceof MissingGradient)) throw error
          record(node, index, error.message)
          return otherwise()
        }
      }
      const contribution = guarded(() => entry(context, index), nothing)
      if (typeof contribution !== "function") return contribution
      return (sum) =>
        guarded(
          () => contribution(sum),
          () => sum ?? nothing(),
        )
    }
  }
  return {
    since: 0,
    everyOutput: true,
    ...(rule?.saves === undefined ? {} : { saves: rule.saves }),
    inputs: Object.fromEntries(names.map((name, index) => [name, towards(entryAt(rule, index))] as const)),
  }
}

/** Finds the node of the given graph that a replayed one came from. */
const originals = (graph: Graph): ((node: Node) => Node) => {
  const keyOf = ({ name, op }: Node): string => `${op} ${name}`
  const known = new Map(graph.nodes.toReversed().map((node) => [keyOf(node), node]))
  return (node) => known.get(keyOf(node)) ?? node
}
