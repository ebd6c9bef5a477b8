import { describeValue, type Graph, GraphBuilder, type Node, stringAttribute, type Value } from "@tandem/onnx"
import { type MissingGradient, NotDifferentiable } from "./Errors.ts"
import { numbersLike } from "./internal/constants.ts"
import { entryAt, isStop, missingAt, ruleFor } from "./internal/entries.ts"
import { Gradients, shaped } from "./internal/gradients.ts"
import { requireReadable, valuesOnPath } from "./internal/path.ts"
import { Recomputation } from "./internal/recomputation.ts"
import { type ForwardValuesByName, renewed } from "./internal/renewed.ts"
import { type Recompute, recomputedBlocks } from "./Recompute.ts"
import type { Reader, Rule, RuleContext, RuleTable } from "./Rule.ts"
import { builtinRules } from "./RuleTable.ts"

/** What `differentiate` takes besides the graph. */
export interface DifferentiateOptions {
  /** Name of the scalar output to differentiate. */
  readonly loss: string
  /** Names of inputs or initializers to differentiate by; initializers become inputs of the result. */
  readonly wrt: readonly string[]
  readonly rules?: RuleTable
  /** Keeps less of the forward pass and computes it again for the gradient (see `Recompute`); keeps all where absent. */
  readonly recompute?: Recompute
  /**
   * Tables whose gradient is put out by rows as far as it comes from looking rows up: outputs `grad.NAME.rows`
   * `[count] int32` and `grad.NAME.updates` `[count, …]`, to be added up row by row, beside `grad.NAME` for what else
   * reaches the table; that is missing where nothing else does.
   */
  readonly byRows?: readonly string[]
  /** Name of the output that carries the gradient by a value. */
  readonly gradientName?: (name: string) => string
}

/** The name under which `differentiate` puts out the gradient by a value. */
export const gradientName = (name: string): string => `grad.${name}`

/**
 * Reverse-mode differentiation of a graph: a new graph with the same inputs and outputs and, for every name in `wrt`,
 * one more output, the gradient of the loss by it, of its type and shape. Initializers in `wrt` become inputs.
 *
 * Every value on the way must have a static shape (build the graph with static shapes or `specialize` it first), and
 * the graph must be of the builder's operator set (`upgrade`). Only operators on a path from `wrt` to the loss need a
 * rule. A path goes through floats alone, and through no operand that a rule stops at (`Rule.ts`): what is compared or
 * rounded has no derivative. A gradient is never silently 0: a value of `wrt` all of whose paths end that way is an
 * error.
 *
 * @throws MissingGradient where an operator on the path has no rule, or none towards the operand in question
 * @throws Disconnected where the loss does not depend on a value of `wrt`
 * @throws NotDifferentiable where the loss is no scalar, a shape is unknown, a value of `wrt` is no float, an operand
 * that must be constant is computed, or the graph holds a subgraph or is of another operator set
 *
 * @example
 * ```ts
 * import { differentiate } from "@tandem/autodiff"
 * import { GraphBuilder } from "@tandem/onnx"
 *
 * const g = new GraphBuilder()
 * const x = g.input("x", "float32", [3])
 * const graph = differentiate(g.build({ loss: g.reduceSum(g.exp(x), [], false) }), { loss: "loss", wrt: ["x"] })
 * console.log(graph.outputs.map((output) => output.name)) // [ "loss", "grad.x" ]
 * ```
 */
export const differentiate = (graph: Graph, options: DifferentiateOptions): Graph => {
  const { loss, wrt, rules = builtinRules } = options
  const trained = new Set(wrt)
  const nameOf = options.gradientName ?? gradientName
  requireReadable(graph, wrt)
  const onPath = pathOf(graph, loss, wrt, rules)
  const g = new GraphBuilder()
  const values = new Map<string, Value>()
  for (const input of graph.inputs)
    values.set(input.name, g.input(input.name, input.type ?? "float32", input.dims ?? []))
  for (const [name, tensor] of graph.initializers) {
    values.set(name, trained.has(name) ? g.input(name, tensor.type, tensor.dims) : g.initializer(name, tensor))
  }
  const saving = (node: Node): Rule | undefined =>
    node.outputs.some((name) => onPath.has(name)) ? ruleFor(graph, node, rules) : undefined
  const applied = graph.nodes.map((node) => replay(g, graph, node, values, saving(node)))
  const gradients = new Gradients(g, options.byRows)
  const target = shaped(graph, values.get(loss), loss)
  if (target.dims.some((dim) => dim !== 1)) {
    throw new NotDifferentiable({ message: `the loss ${loss} is no scalar`, tensor: loss, found: `[${target.dims}]` })
  }
  gradients.add(loss, target, numbersLike(g, target, target.dims, [1]))
  const forward = new Recomputation({
    g,
    graph,
    blocks: options.recompute === undefined ? [] : recomputedBlocks(graph, onPath, options.recompute).slice(0, -1),
    forward: { values, results: (index) => applied[index]! },
    onPath,
    gradients,
    replay: (node, again) => replay(g, graph, node, again, saving(node)),
  })
  const around: Surroundings = {
    graph,
    onPath,
    rules,
    readers: readersOf(graph, onPath),
    distinct: distinctPlaces(graph),
  }
  const cheap = options.recompute === undefined ? renewed(g, graph, values, onPath, saving) : undefined
  for (const [index, node] of [...graph.nodes.entries()].reverse()) {
    if (!node.outputs.some((name) => onPath.has(name) && gradients.has(name))) continue
    const read = g.scope("again", () => forward.at(index))
    g.scope(`gradient of ${node.name}`, () => {
      backward(g, around, node, read.results(index), cheap ?? read.values, gradients)
    })
    for (const name of node.inputs) if (onPath.has(name)) forward.touch(name)
  }
  const outputs: Record<string, Value> = {}
  for (const { name } of graph.outputs) outputs[name] = values.get(name)!
  for (const name of wrt) {
    const apart = gradients.rows(name)
    if (apart === undefined || gradients.has(name)) outputs[nameOf(name)] = gradients.total(name)
    if (apart === undefined) continue
    outputs[`${nameOf(name)}.rows`] = apart.rows
    outputs[`${nameOf(name)}.updates`] = apart.updates
  }
  return leavesLast(g.build(outputs, `${graph.name}, differentiated`))
}

/**
 * The graph with the nodes that nothing reads at its end, those of the last layers behind those of the first. ONNX
 * Runtime starts from the last such node with what it needs: in this order a gradient is computed as soon as it can be,
 * and what it reads is let go.
 */
const leavesLast = (graph: Graph): Graph => {
  const read = new Set(graph.nodes.flatMap(({ inputs }) => inputs))
  const isRead = ({ outputs }: Node): boolean => outputs.some((name) => read.has(name))
  const leaves = graph.nodes.filter((node) => !isRead(node))
  return { ...graph, nodes: [...graph.nodes.filter(isRead), ...leaves.reverse()] }
}

/** The values that a gradient passes; one that only leads through operands that it cannot pass is an error. */
const pathOf = (graph: Graph, loss: string, wrt: readonly string[], rules: RuleTable): ReadonlySet<string> =>
  valuesOnPath(graph, loss, wrt, {
    passes: (node, index) => !isStop(graph, rules, node, index),
    error: (node, index) => {
      const rule = ruleFor(graph, node, rules)
      const entry = entryAt(rule, index)
      return missingAt(graph, node, rule, index, entry !== undefined && "stop" in entry ? entry.stop : "no gradient")
    },
  })

/** Copies a forward node, with the further outputs that its gradient wants saved. */
const replay = (
  g: GraphBuilder,
  graph: Graph,
  node: Node,
  values: Map<string, Value>,
  rule: Rule | undefined,
): readonly Value[] => {
  const known = node.outputs.map((name) => describeValue(graph, name))
  const unknown = { type: undefined, dims: undefined }
  const extra = Math.max(0, (rule?.saves ?? 0) - known.length)
  const results = g.op(
    node.op,
    node.inputs.map((name) => (name === "" ? undefined : values.get(name))),
    {
      domain: node.domain,
      attributes: node.attributes,
      outputs: [...known, ...Array.from({ length: extra }, () => unknown)],
      name: node.name,
    },
  )
  for (const [index, name] of node.outputs.entries()) if (name !== "") values.set(name, results[index]!)
  return results
}

/** Names of index lists that a scatter without reduction writes at. */
const distinctPlaces = (graph: Graph): ReadonlySet<string> =>
  new Set(
    graph.nodes.flatMap((node) =>
      node.op === "ScatterND" && stringAttribute(node, "reduction", "none") === "none" ? [node.inputs[1] ?? ""] : [],
    ),
  )

/** The nodes with a result on the path that read a value, by its name. */
const readersOf = (graph: Graph, onPath: ReadonlySet<string>): ReadonlyMap<string, readonly Node[]> => {
  const result = new Map<string, Node[]>()
  for (const node of graph.nodes) {
    if (!node.outputs.some((name) => onPath.has(name))) continue
    for (const name of new Set(node.inputs)) {
      const readers = result.get(name)
      if (readers === undefined) result.set(name, [node])
      else readers.push(node)
    }
  }
  return result
}

const readersWith = (
  all: ReadonlyMap<string, readonly Node[]>,
  graph: Graph,
  values: ForwardValuesByName,
  gradients: Gradients,
  { outputs }: Node,
): readonly Reader[] =>
  (all.get(outputs[0]!) ?? []).flatMap((node) => {
    const name = node.outputs[0] ?? ""
    if (!gradients.has(name)) return []
    return {
      node,
      operands: node.inputs.map((input) => values.get(input)),
      at: [...node.inputs.keys()].filter((index) => node.inputs[index] === outputs[0]),
      out: shaped(graph, values.get(name), name),
      dout: gradients.totalShaped(name),
      readers: () => readersWith(all, graph, values, gradients, node),
    }
  })

/** What every node's gradient is made from. */
interface Surroundings {
  readonly graph: Graph
  readonly onPath: ReadonlySet<string>
  readonly rules: RuleTable
  readonly readers: ReadonlyMap<string, readonly Node[]>
  readonly distinct: ReadonlySet<string>
}

const backward = (
  g: GraphBuilder,
  { graph, onPath, rules, readers, distinct }: Surroundings,
  node: Node,
  results: readonly Value[],
  values: ForwardValuesByName,
  gradients: Gradients,
): void => {
  const rule = ruleFor(graph, node, rules)
  const formals = Object.keys(rule?.inputs ?? {})
  const missing = (index: number, reason: string): MissingGradient => missingAt(graph, node, rule, index, reason)
  const operands = node.inputs.map((name) => values.get(name))
  const further = node.outputs.slice(1).filter((name) => gradients.has(name))
  const dout = node.outputs.map((name) => (gradients.has(name) ? gradients.totalShaped(name) : undefined))
  const contextOf = (): RuleContext => {
    const named = operands.flatMap((value, index) => {
      const key = formals[index]
      return value === undefined || key === undefined ? [] : [[key, shaped(graph, value, node.inputs[index]!)] as const]
    })
    return {
      g,
      node: { ...node, outputs: results.map((value) => value.name) },
      opset: graph.opsets.get(node.domain) ?? 1,
      in: Object.fromEntries(named),
      operands: operands.flatMap((value, index) =>
        value === undefined ? [] : [shaped(graph, value, node.inputs[index]!)],
      ),
      out: results.map((value) => shaped(graph, value, value.name)),
      dout,
      distinct: (index) => distinct.has(node.inputs[index] ?? ""),
      get dY() {
        const first = dout[0]
        if (first === undefined) throw missing(0, "the loss does not depend on its first output")
        return first
      },
      readers: () => readersWith(readers, graph, values, gradients, node),
    }
  }
  let context: RuleContext | undefined
  for (const [index, name] of node.inputs.entries()) {
    if (!onPath.has(name)) continue
    const entry = entryAt(rule, index)
    if (entry === undefined) throw missing(index, rule === undefined ? "no rule for this operator" : "an unknown input")
    if ("stop" in entry) continue
    if ("todo" in entry) throw missing(index, entry.todo)
    if (further.length > 0 && rule?.everyOutput !== true) {
      throw missing(index, `the loss depends on its further output ${further.join(", ")}`)
    }
    context ??= contextOf()
    gradients.add(name, shaped(graph, values.get(name), name), entry(context, index))
  }
}
