import { builderOpset, describeValue, type Graph, GraphBuilder, type Node, staticDims, type Value } from "@tandem/onnx"
import { Disconnected, MissingGradient, NotDifferentiable } from "./Errors.ts"
import { broadcastsTo, sameDims, sumTo } from "./internal/shapes.ts"
import type { Contribution, Rule, RuleContext, RuleTable, Shaped } from "./Rule.ts"
import { ruleKey } from "./Rule.ts"
import { builtinRules } from "./RuleTable.ts"

/** What `differentiate` takes besides the graph. */
export interface DifferentiateOptions {
  /** Name of the scalar output to differentiate. */
  readonly loss: string
  /** Names of inputs or initializers to differentiate by; initializers become inputs of the result. */
  readonly wrt: readonly string[]
  readonly rules?: RuleTable
  /** Name of the output that carries the gradient by a value. */
  readonly gradientName?: (name: string) => string
}

/** The name under which `differentiate` puts out the gradient by a value. */
export const gradientName = (name: string): string => `grad.${name}`

/**
 * Reverse-mode differentiation of a graph: a new graph with the same inputs and outputs and, for every name in `wrt`,
 * one more output, the gradient of the loss by it, of its type and shape.
 *
 * Every value on the way must have a static shape (build the graph with static shapes or `specialize` it first).
 * Only operators on a path from `wrt` to the loss need a rule; one that has none is `MissingGradient`, a value of
 * `wrt` that the loss does not depend on is `Disconnected`. A gradient is never silently zero.
 */
export const differentiate = (graph: Graph, options: DifferentiateOptions): Graph => {
  const { loss, wrt, rules = builtinRules } = options
  const nameOf = options.gradientName ?? gradientName
  requireReadable(graph, wrt)
  const onPath = valuesOnPath(graph, loss, wrt)
  const g = new GraphBuilder()
  const values = new Map<string, Value>()
  for (const input of graph.inputs)
    values.set(input.name, g.input(input.name, input.type ?? "float32", input.dims ?? []))
  for (const [name, tensor] of graph.initializers) {
    values.set(name, wrt.includes(name) ? g.input(name, tensor.type, tensor.dims) : g.initializer(name, tensor))
  }
  const applied = graph.nodes.map((node) => replay(g, graph, node, values, ruleFor(graph, node, rules)))
  const gradients = new Gradients(g)
  const target = shaped(graph, values.get(loss), loss)
  if (target.dims.some((dim) => dim !== 1)) {
    throw new NotDifferentiable({ message: `the loss ${loss} is no scalar`, tensor: loss, found: `[${target.dims}]` })
  }
  gradients.add(loss, target, g.constant({ type: "float32", dims: target.dims, data: Float32Array.of(1) }))
  for (const [index, node] of [...graph.nodes.entries()].reverse()) {
    if (!node.outputs.some((name) => onPath.has(name) && gradients.has(name))) continue
    g.scope(`gradient of ${node.name}`, () => {
      backward(g, graph, node, applied[index]!, values, gradients, onPath, rules)
    })
  }
  const outputs: Record<string, Value> = {}
  for (const { name } of graph.outputs) outputs[name] = values.get(name)!
  for (const name of wrt) outputs[nameOf(name)] = gradients.total(name)
  return g.build(outputs, `${graph.name}, differentiated`)
}

/** Refuses what would be copied or differentiated wrongly. */
const requireReadable = (graph: Graph, wrt: readonly string[]): void => {
  const opset = graph.opsets.get("") ?? builderOpset
  if (opset !== builderOpset) {
    throw new NotDifferentiable({
      message: `graph ${graph.name} uses operator set ${opset}`,
      opset,
      expected: `${builderOpset}`,
      hint: "upgrade the graph first",
    })
  }
  const branching = graph.nodes.find(({ attributes }) => Object.values(attributes).some(({ kind }) => kind === "graph"))
  if (branching !== undefined) {
    throw new NotDifferentiable({
      message: `node ${branching.name} (${ruleKey(branching)}) holds a subgraph`,
      op: ruleKey(branching),
      node: branching.name,
      expected: "a graph without control flow",
    })
  }
  for (const name of wrt) {
    const { type } = describeValue(graph, name)
    if (type === undefined || floats.has(type)) continue
    throw new NotDifferentiable({ message: `${name} is no float`, tensor: name, expected: "a float", found: type })
  }
}

/** Names of values that a gradient passes: those that depend on `wrt` and that the loss depends on. */
const valuesOnPath = (graph: Graph, loss: string, wrt: readonly string[]): Set<string> => {
  const forward = new Set(wrt)
  for (const node of graph.nodes) {
    if (!node.inputs.some((name) => forward.has(name))) continue
    for (const name of node.outputs) if (mayVary(graph, name)) forward.add(name)
  }
  const backward = dependencies(graph, loss)
  const lost = wrt.filter((name) => !backward.has(name))
  if (lost.length > 0) {
    throw new Disconnected({
      message: `the loss ${loss} does not depend on ${lost.join(", ")} in a way that has a gradient`,
      tensor: lost[0] ?? "",
      hint: "leave the value out of what is trained",
    })
  }
  return new Set([...forward].filter((name) => backward.has(name)))
}

/** What follows from a truth value or an integer follows in steps: nothing passes it, so it ends a path. */
const mayVary = (graph: Graph, name: string): boolean => {
  const { type } = describeValue(graph, name)
  return name !== "" && (type === undefined || floats.has(type))
}

const floats: ReadonlySet<string> = new Set(["float16", "bfloat16", "float32", "float64"])

/** The output and all values that it depends on through values that may vary. */
const dependencies = (graph: Graph, output: string): Set<string> => {
  const result = new Set([output])
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => result.has(name) && mayVary(graph, name))) continue
    for (const name of node.inputs) result.add(name)
  }
  return result
}

/** The names among `candidates` that the output depends on, through no truth value or integer: what can be trained. */
export const influences = (graph: Graph, output: string, candidates: Iterable<string>): string[] => {
  const needed = dependencies(graph, output)
  return [...candidates].filter((name) => needed.has(name))
}

const ruleFor = (graph: Graph, node: Node, rules: RuleTable): Rule | undefined => {
  const opset = graph.opsets.get(node.domain) ?? 1
  return rules[ruleKey(node)]?.filter((rule) => rule.since <= opset).at(-1)
}

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

const backward = (
  g: GraphBuilder,
  graph: Graph,
  node: Node,
  results: readonly Value[],
  values: ReadonlyMap<string, Value>,
  gradients: Gradients,
  onPath: ReadonlySet<string>,
  rules: RuleTable,
): void => {
  const rule = ruleFor(graph, node, rules)
  const formals = Object.keys(rule?.inputs ?? {})
  const formal = (index: number): string | undefined =>
    formals[index] ?? (rule?.variadic === true ? formals.at(-1) : undefined)
  const missing = (index: number, reason: string): MissingGradient =>
    new MissingGradient({
      message: `${ruleKey(node)} has no gradient towards input ${formal(index) ?? index}: ${reason}`,
      op: ruleKey(node),
      opset: graph.opsets.get(node.domain) ?? 0,
      input: formal(index) ?? `${index}`,
      node: node.name,
    })
  const operands = node.inputs.map((name) => values.get(name))
  const further = node.outputs.slice(1).filter((name) => gradients.has(name))
  const dout = node.outputs.map((name) => (gradients.has(name) ? gradients.totalShaped(name) : undefined))
  const context = (): RuleContext => {
    const named = operands.flatMap((value, index) => {
      const key = formals[index]
      return value === undefined || key === undefined ? [] : [[key, shaped(graph, value, node.inputs[index]!)] as const]
    })
    return {
      g,
      node: { ...node, outputs: results.map((value) => value.name) },
      in: Object.fromEntries(named),
      operands: operands.flatMap((value, index) =>
        value === undefined ? [] : [shaped(graph, value, node.inputs[index]!)],
      ),
      out: results.map((value) => shaped(graph, value, value.name)),
      dout,
      get dY() {
        const first = dout[0]
        if (first === undefined) throw missing(0, "the loss does not depend on its first output")
        return first
      },
    }
  }
  for (const [index, name] of node.inputs.entries()) {
    if (!onPath.has(name)) continue
    const entry = rule === undefined ? undefined : rule.inputs[formal(index) ?? ""]
    if (entry === undefined) throw missing(index, rule === undefined ? "no rule for this operator" : "an unknown input")
    if ("stop" in entry) throw missing(index, entry.stop)
    if ("todo" in entry) throw missing(index, entry.todo)
    if (further.length > 0 && rule?.everyOutput !== true) {
      throw missing(index, `the loss depends on its further output ${further.join(", ")}`)
    }
    gradients.add(name, shaped(graph, values.get(name), name), entry(context(), index))
  }
}

/** A value with the static shape that gradients need. */
const shaped = (graph: Graph, value: Value | undefined, name: string): Shaped => {
  const dims = staticDims(value?.dims)
  if (value === undefined || dims === undefined) {
    throw new NotDifferentiable({
      message: `the shape of ${name} in graph ${graph.name} is not known`,
      tensor: name,
      expected: "static dimensions",
      found: `${value?.dims ?? "nothing"}`,
      hint: "build the graph with static shapes, or specialize it",
    })
  }
  return { ...value, dims }
}

/** Sums of the contributions that have reached each value so far. */
class Gradients {
  readonly #g: GraphBuilder
  readonly #sums = new Map<string, Shaped>()

  constructor(g: GraphBuilder) {
    this.#g = g
  }

  has(name: string): boolean {
    return this.#sums.has(name)
  }

  add(name: string, target: Shaped, contribution: Contribution): void {
    const before = this.#sums.get(name)
    const alone = typeof contribution === "function" ? contribution(before) : contribution
    const fitted = this.#fit(name, target, alone)
    const sum = before === undefined || typeof contribution === "function" ? fitted : this.#g.add(before, fitted)
    this.#sums.set(name, { ...sum, dims: target.dims })
  }

  total(name: string): Value {
    return this.totalShaped(name)
  }

  totalShaped(name: string): Shaped {
    const sum = this.#sums.get(name)
    if (sum === undefined) {
      throw new Disconnected({ message: `no gradient reached ${name}`, tensor: name })
    }
    return sum
  }

  /** Sums over broadcast axes and checks that type and shape are those of the value. */
  #fit(name: string, target: Shaped, value: Value): Value {
    const dims = staticDims(value.dims)
    const fits = dims !== undefined && broadcastsTo(target.dims, dims)
    const fitted = fits ? sumTo(this.#g, value, dims, target.dims) : value
    const found = staticDims(fitted.dims)
    if (found === undefined || !sameDims(found, target.dims) || fitted.type !== target.type) {
      throw new NotDifferentiable({
        message: `the gradient by ${name} has another type or shape than the value`,
        tensor: name,
        expected: `${target.type}[${target.dims}]`,
        found: `${fitted.type}[${fitted.dims ?? "?"}]`,
      })
    }
    return fitted
  }
}
