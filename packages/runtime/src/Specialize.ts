import {
  DataDependentBranch,
  DataDependentShape,
  deadCode,
  elementCount,
  type Graph,
  GraphBuilder,
  InvalidGraph,
  int64,
  isRandom,
  mergeBranches,
  type Node,
  producers,
  type Tensor,
  UnsupportedModel,
  type Value,
  zeros,
} from "@tandem/onnx"
import { Effect } from "effect"
import { type CompileFailed, RunFailed } from "./Errors.ts"
import { decided, deciding, hasBranches } from "./internal/branches.ts"
import { firstOfEqual } from "./internal/equalTensors.ts"
import { mostElements, requirePossible } from "./internal/largest.ts"
import { Settling } from "./internal/settling.ts"
import { Runtime } from "./Runtime.ts"

/** What `specialize` can end in. */
export type SpecializeError =
  | CompileFailed
  | RunFailed
  | DataDependentBranch
  | DataDependentShape
  | UnsupportedModel
  | InvalidGraph

/** What `specialize` takes besides graph and shapes. */
export interface SpecializeOptions {
  /** Initializers that are to stay variable: what is computed from them alone is not folded. */
  readonly parameters?: ReadonlySet<string>
}

/**
 * The graph for static input shapes: every value has a type and a shape, and everything that depends on nothing but
 * constants and shapes has become a constant.
 *
 * Shapes follow from the builder's rules, node by node. Where a shape hangs on shape arithmetic, ONNX Runtime computes
 * it: what a `Shape` node gives is known by then, so that arithmetic is a small graph of constants, without weights and
 * activations, and it is asked in as many rounds as shapes hang on one another. Only what the rules cannot tell (an
 * operator that they do not know) is read off a run of the model itself on zeros, optimizations off, through `Shape`
 * nodes, so that no large value leaves the runtime.
 *
 * An `If` whose condition hangs on constants and shapes becomes the branch that runs; of others both branches are
 * computed (`mergeBranches`), or `DataDependentBranch` says why they cannot be. A shape that the values of inputs decide
 * ends in `DataDependentShape`. A value that nothing could hold, constants that are out of proportion, and shapes that hang
 * on one another without end are `UnsupportedModel` before they take memory or time; it names the node. Operands that
 * contradict each other are `InvalidGraph`.
 *
 * Initializers, inputs and outputs keep their names. Operator sets stay as they are, so `upgrade` a foreign graph first.
 */
export const specialize = Effect.fnUntraced(function* (
  graph: Graph,
  shapes: Readonly<Record<string, readonly number[]>>,
  options: SpecializeOptions = {},
): Effect.fn.Return<Graph, SpecializeError, Runtime> {
  return yield* Effect.catchDefect(specialized(graph, shapes, options), (defect) =>
    defect instanceof UnsupportedModel || defect instanceof InvalidGraph ? Effect.fail(defect) : Effect.die(defect),
  )
})

const specialized = Effect.fnUntraced(function* (
  graph: Graph,
  shapes: Readonly<Record<string, readonly number[]>>,
  options: SpecializeOptions,
): Effect.fn.Return<Graph, SpecializeError, Runtime> {
  const parameters = options.parameters ?? new Set<string>()
  const inputs: Value[] = []
  for (const input of graph.inputs) {
    const dims = shapes[input.name]
    if (dims === undefined || input.type === undefined || input.type === "string") {
      return yield* new RunFailed({
        message: `no shape was given for input ${input.name} of graph ${graph.name}`,
        field: input.name,
        expected: "static dimensions of a numeric tensor",
        found: `${input.type}[${dims ?? "?"}]`,
      })
    }
    if (elementCount(dims) > mostElements) {
      return yield* new RunFailed({
        message: `the shape that was given for input ${input.name} of graph ${graph.name} is too large`,
        field: input.name,
        expected: `at most ${mostElements} elements`,
        found: `${input.type}[${dims}]`,
      })
    }
    inputs.push({ ...input, dims })
  }
  const fixed = yield* withoutBranches({ ...graph, inputs, values: new Map<string, Value>() }, parameters)
  const constant = shapeOnly(fixed, parameters)
  let settling = new Settling(fixed, constant, new Map(fixed.initializers), new Map())
  yield* settle(settling)
  const unknown = settling.unknown()
  if (unknown.length > 0) {
    const node = settling.dependsOnData()
    if (node !== undefined) {
      return yield* new DataDependentShape({
        message: `the shape of what node ${node.name} (${node.op}) of graph ${graph.name} makes depends on data`,
        node: node.name,
        op: node.op,
        expected: "shapes that follow from those of the inputs",
        ...(node.op === "NonZero" ? { hint: expertsHint } : {}),
      })
    }
    const described = yield* askShapes(settling.folded(), unknown)
    settling = new Settling(fixed, constant, settling.constants, described)
    yield* settle(settling)
  }
  const result = rebuild(fixed, settling.constants, constant, settling.described)
  const left = settling.unknown()[0] ?? result.unknown[0]
  if (left !== undefined) {
    return yield* new RunFailed({ message: `the shape of ${left} in graph ${graph.name} cannot be told`, tensor: left })
  }
  return result.graph
})

const expertsHint = 'experts that look up their own tokens do this: export with experts_implementation="batched_mm"'

/** The graph without `If`: the branch that constants and shapes choose, else both and a choice among their results. */
const withoutBranches = Effect.fnUntraced(function* (graph: Graph, parameters: ReadonlySet<string>) {
  let current = graph
  for (let round = 0; hasBranches(current) && round < mostRounds; round++) {
    const part = deciding(current)
    const settling = new Settling(part, shapeOnly(part, parameters), new Map(part.initializers), new Map())
    yield* settle(settling)
    const next = decided(current, settling.constants)
    if (next === undefined) break
    current = next
  }
  const rest = current
  return yield* Effect.try({
    try: () => mergeBranches(rest),
    catch: (cause) => {
      if (cause instanceof DataDependentBranch) return cause
      throw cause
    },
  })
})

/** Rounds of inference and shape arithmetic, until neither tells anything new. */
const settle = Effect.fnUntraced(function* (settling: Settling) {
  for (let round = 0; ; round++) {
    const question = settling.infer()
    if (question === undefined) return
    if (round === mostRounds) {
      const name = question.outputs[0]?.name ?? ""
      throw new UnsupportedModel({
        message: `the shape arithmetic of graph ${question.name} hangs on itself too often`,
        node: producers(question).get(name)?.name ?? name,
        expected: `shapes that are known after ${mostRounds} rounds`,
        found: `more rounds, for ${name}`,
      })
    }
    for (const [name, tensor] of yield* ask(question)) settling.constants.set(name, tensor)
  }
})

/** Rounds of shape arithmetic, each a graph that is compiled and run; a deep model takes tens of them. */
const mostRounds = 1000

/** Names of node outputs that depend on constants and shapes alone. */
const shapeOnly = (graph: Graph, parameters: ReadonlySet<string>): Set<string> => {
  const result = new Set<string>()
  const isParameter = (name: string): boolean =>
    parameters.has(name) && floats.has(graph.initializers.get(name)?.type ?? "float32")
  const constant = (name: string): boolean =>
    name === "" || result.has(name) || (graph.initializers.has(name) && !isParameter(name))
  for (const node of graph.nodes) {
    const isShape = node.domain === "" && (node.op === "Shape" || node.op === "Size")
    const holdsGraph = Object.values(node.attributes).some(({ kind }) => kind === "graph")
    if (isShape || (!isRandom(node) && !holdsGraph && node.inputs.every(constant)))
      for (const name of node.outputs) result.add(name)
  }
  return result
}

/** Whole numbers are not trained, whatever the caller names. */
const floats: ReadonlySet<string> = new Set(["float16", "bfloat16", "float32", "float64"])

/** All outputs of a graph on zeros (ones for masks), optimizations off. */
const ask = (graph: Graph) =>
  Effect.scoped(
    Effect.gen(function* () {
      const runtime = yield* Runtime
      const executable = yield* runtime.compile(graph, { optimize: "none" })
      const found = yield* executable.run(Object.fromEntries(graph.inputs.map((input) => [input.name, sample(input)])))
      return new Map(Object.entries(found))
    }),
  )

const sample = ({ name, type, dims }: Value): Tensor => {
  const numbers = (dims ?? []).filter((dim) => typeof dim === "number")
  if (type === undefined || type === "string") return int64([0], [])
  const data = zeros(type, elementCount(numbers))
  if (name.includes("mask")) {
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data.fill(1n)
    else data.fill(1)
  }
  return { type, dims: numbers, data }
}

/** Shapes of values, read through `Shape` nodes, so that no large value leaves the runtime. */
const askShapes = (graph: Graph, names: readonly string[]) => {
  const shapes = names.map(
    (name, index): Node => ({
      op: "Shape",
      domain: "",
      name: `shape of ${name}`,
      inputs: [name],
      outputs: [`shape.${index}`],
      attributes: {},
    }),
  )
  const outputs = shapes.map(({ outputs: [name = ""] }): Value => ({ name, type: "int64", dims: undefined }))
  return Effect.map(
    ask(deadCode({ ...graph, nodes: [...graph.nodes, ...shapes], outputs })),
    (found) => new Map(names.map((name, index) => [name, Array.from(found.get(`shape.${index}`)?.data ?? [], Number)])),
  )
}

/** Builds the graph anew with static inputs and the folded constants; lists the values whose shape stays unknown. */
const rebuild = (
  graph: Graph,
  constants: ReadonlyMap<string, Tensor>,
  constant: ReadonlySet<string>,
  described: ReadonlyMap<string, readonly number[]>,
): { readonly graph: Graph; readonly unknown: readonly string[] } => {
  const g = new GraphBuilder()
  const values = new Map<string, Value>()
  const unknown: string[] = []
  const first = firstOfEqual()
  for (const input of graph.inputs)
    values.set(input.name, g.input(input.name, input.type ?? "float32", input.dims ?? []))
  // Before anything that the builder names itself, which may look like them; what nobody reads goes at the end
  for (const [name, tensor] of graph.initializers) {
    if (!values.has(name)) values.set(name, g.initializer(name, tensor))
  }
  const resolve = (name: string): Value | undefined => {
    if (name === "") return undefined
    const known = values.get(name)
    if (known !== undefined) return known
    const tensor = constants.get(name)
    if (tensor === undefined) return undefined
    const value = g.constant(first(tensor))
    values.set(name, value)
    return value
  }
  for (const node of graph.nodes) {
    if (node.outputs.some((name) => constant.has(name))) continue
    const operands = node.inputs.map(resolve)
    const results = g.op(node.op, operands, {
      domain: node.domain,
      attributes: node.attributes,
      outputs: node.outputs.map((name) => ({ type: operands[0]?.type, dims: described.get(name) })),
      name: node.name,
    })
    requirePossible(node, results)
    for (const [index, name] of node.outputs.entries()) {
      const result = results[index]!
      if (name === "") continue
      if (result.dims === undefined || result.dims.some((dim) => typeof dim === "string")) unknown.push(name)
      values.set(name, result)
    }
  }
  const outputs = Object.fromEntries(
    graph.outputs.flatMap(({ name }) => {
      const value = resolve(name)
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
  return { graph: g.build(outputs, graph.name), unknown }
}
