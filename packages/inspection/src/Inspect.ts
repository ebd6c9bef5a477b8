import {
  builtinRules,
  differentiateWithGaps,
  findGaps,
  firstInfluences,
  type Gap,
  gradientName,
  type RuleTable,
} from "@tandem/autodiff"
import { onnxEncoderConfig } from "@tandem/models"
import { onlyOutputs } from "@tandem/models/exported/PrepareGraph"
import { weightsOf } from "@tandem/models/exported/TrainableParameters"
import {
  elementCount,
  fuse,
  type Graph,
  GraphBuilder,
  InvalidGraph,
  inferShapes,
  intAttribute,
  operatorName,
  toNumbers,
  type Value,
} from "@tandem/onnx"
import { type Runtime, specialize } from "@tandem/runtime"
import { Effect, Result } from "effect"
import { architectureOf } from "./Architecture.ts"
import { type InspectionError, isGradientError } from "./Errors.ts"
import { inspectParameters, inspectSettings, type Reach } from "./InspectParameters.ts"
import type { ModelGap, ModelReport, StepEstimate } from "./InspectReport.ts"
import { withOpset } from "./internal/AsWritten.ts"
import { attemptGradient, thrownAsFailures } from "./internal/Attempt.ts"
import { failureGap, prepareWithGaps } from "./PrepareWithGaps.ts"
import { sampleShapes } from "./SampleInputs.ts"
import { peakBytes, productFlops } from "./StepCost.ts"

/** What `inspectModel` takes besides the graph. */
export interface InspectOptions {
  /** The model's `config.json`, where there is one. */
  readonly config?: Readonly<Record<string, unknown>>
  /** Rows of a training step (default 16). */
  readonly batch?: number
  /** Tokens a row (default 128); halved until the model has positions for them. */
  readonly length?: number
  readonly rules?: RuleTable
}

/**
 * Says whether a model can train: what it is made of, its weights and which of them can train, every place where a
 * gradient cannot pass, and what a step costs. Nothing about a model makes it fail: what cannot be done is a gap.
 */
export const inspectModel = Effect.fnUntraced(function* (
  model: Graph,
  options: InspectOptions = {},
): Effect.fn.Return<ModelReport, never, Runtime> {
  const { config, rules = builtinRules } = options
  const batch = options.batch ?? 16
  const length = Math.min(options.length ?? 128, onnxEncoderConfig(config ?? {}).maxPositions)
  const { graph, gaps: unprepared } = prepareWithGaps(model)
  const outputs = lossOutputsOf(graph)
  const weights = weightsOf(model, graph)
  const silent = outputs.length > 0 ? [] : [{ node: "", op: "", reason: "no output holds floats to make a loss of" }]
  const listed = new Set(unprepared.map(({ node }) => node))
  const structural = [...unprepared, ...silent, ...structuralGaps(graph, rules).filter(({ node }) => !listed.has(node))]
  const found =
    structural.length > 0
      ? undefined
      : yield* Effect.result(
          shorterIfNeeded(length, (tokens) =>
            trainingStep(onlyOutputs(graph, outputs), [...weights.keys()], { batch, length: tokens, rules }),
          ),
        )
  const step = found !== undefined && Result.isSuccess(found) ? found.success : undefined
  const known = step?.graph ?? typed(graph)
  const structuralNodes = new Set(structural.map(({ node }) => node))
  const gradientGaps = (step?.gaps ?? findGaps(known, outputs, [...weights.keys()], rules)).filter(
    ({ node }) => !structuralNodes.has(node),
  )
  // What a step fails at follows from the gaps, where there are some.
  const failed = found !== undefined && Result.isFailure(found) && gradientGaps.length === 0
  const unknown = failed ? [gradientFailure(graph, found.failure)] : []
  const gaps = [...structural, ...unknown, ...gradientGaps.map(modelGap)].map((gap) => ({
    ...gap,
    reason: withOpset(model, gap.op, gap.reason),
  }))
  const reach = reachOf(known, outputs, [...weights.keys()], gaps)
  const parameters = inspectParameters(model, reach)
  const count = (all: typeof parameters): number => all.reduce((sum, { elements }) => sum + elements, 0)
  return {
    architecture: architectureOf(model, config),
    opset: model.opsets.get("") ?? 0,
    opsets: Object.fromEntries(model.opsets),
    operators: countOperators(model),
    parameters: count(parameters),
    trainable: count(parameters.filter(({ trains }) => trains)),
    gaps,
    inputs: model.inputs.map(described),
    outputs: model.outputs.map(described),
    weights: parameters,
    settings: inspectSettings(model),
    ...(step === undefined ? {} : { step: { batch, length: step.length, ...step.cost } }),
  }
})

const described = ({ name, type, dims }: Value) => ({ name, type: type ?? "unknown", shape: dims ?? [] })

const floats: ReadonlySet<string | undefined> = new Set(["float32", "float16", "bfloat16", "float64", undefined])

/** The outputs that a loss could be made of: those of floats, caches left aside. */
const lossOutputsOf = (graph: Graph): readonly string[] => {
  const names = graph.outputs.filter(({ type }) => floats.has(type)).map(({ name }) => name)
  const plain = names.filter((name) => !/^present|past/.test(name))
  return plain.length > 0 ? plain : names
}

const countOperators = (model: Graph): Readonly<Record<string, number>> => {
  const counts = new Map<string, number>()
  const visit = (graph: Graph): void => {
    for (const node of graph.nodes) {
      counts.set(operatorName(node), (counts.get(operatorName(node)) ?? 0) + 1)
      for (const attribute of Object.values(node.attributes)) if (attribute.kind === "graph") visit(attribute.value)
    }
  }
  visit(model)
  return Object.fromEntries([...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)))
}

const knownDomains: ReadonlySet<string> = new Set(["", "com.microsoft"])

/** Nodes that nothing here can look into: control flow that is left, and operators of foreign domains. */
const structuralGaps = (graph: Graph, rules: RuleTable): readonly ModelGap[] =>
  graph.nodes.flatMap((node): ModelGap[] => {
    const at = { node: node.name, op: operatorName(node) }
    if (Object.values(node.attributes).some(({ kind }) => kind === "graph")) {
      const branch = node.op === "If"
      return [{ ...at, reason: branch ? "a branch that depends on data" : "a loop, whose body has no gradient" }]
    }
    if (knownDomains.has(node.domain) || Object.hasOwn(rules, operatorName(node))) return []
    return [{ ...at, reason: `the operator domain ${node.domain} is unknown` }]
  })

const gradientFailure = (graph: Graph, error: InspectionError): ModelGap =>
  isGradientError(error)
    ? { node: error.node ?? "", op: error.op ?? "", reason: error.message }
    : failureGap(graph, error)

const modelGap = ({ node, op, value, reason }: Gap): ModelGap => ({
  node,
  op,
  reason,
  ...(value === undefined ? {} : { input: value }),
})

/** The graph with what types and shapes follow by themselves. */
const typed = (graph: Graph): Graph => {
  try {
    return inferShapes(graph)
  } catch {
    return graph
  }
}

const shortest = 4

/** Halves the length until the model's tables of positions are long enough; where none helps, the first failure counts. */
const shorterIfNeeded = <A, E, R>(
  length: number,
  attempt: (length: number) => Effect.Effect<A, E, R>,
): Effect.Effect<A, E, R> =>
  Effect.catch(attempt(length), (error) =>
    length < 2 * shortest
      ? Effect.fail(error)
      : Effect.mapError(shorterIfNeeded(Math.floor(length / 2), attempt), () => error),
  )

/** Refuses a graph that looks up a row which the table does not have, as there are no positions for longer texts. */
const requireRows = (graph: Graph): void => {
  for (const node of graph.nodes) {
    if (node.op !== "Gather" || intAttribute(node, "axis", 0) !== 0) continue
    const rows = graph.initializers.get(node.inputs[0] ?? "")?.dims[0]
    const indices = graph.initializers.get(node.inputs[1] ?? "")
    if (rows === undefined || indices === undefined) continue
    const beyond = toNumbers(indices).find((index) => index >= rows || index < -rows)
    if (beyond === undefined) continue
    throw new InvalidGraph({
      message: `${node.name} looks up row ${beyond} of ${rows}`,
      node: node.name,
      expected: `at most ${rows} rows`,
      found: `${beyond}`,
    })
  }
}

/** The joint graph of a step over the sum of all outputs: its gaps and its cost. */
const trainingStep = Effect.fnUntraced(function* (
  graph: Graph,
  weights: readonly string[],
  { batch, length, rules }: { readonly batch: number; readonly length: number; readonly rules: RuleTable },
) {
  const shapes = yield* attemptGradient(() => sampleShapes(graph, new Map(), { batch, length }))
  const specialized = yield* thrownAsFailures(specialize(graph, shapes, { parameters: new Set(weights) }))
  return yield* attemptGradient(() => {
    requireRows(specialized)
    const fused = fuse(specialized)
    const outputs = fused.outputs.map(({ name }) => name)
    const connected = firstInfluences(fused, outputs, weights)
    const wrt = weights.filter((name) => connected.has(name))
    const lossGraph = summed(fused, weights)
    const { graph: joint, gaps } = differentiateWithGaps(lossGraph, { loss: "tandem.loss", wrt, rules })
    return { graph: fused, gaps, length, cost: costOf(fused, joint, wrt) }
  })
})

const summed = (graph: Graph, weights: readonly string[]): Graph => {
  const g = new GraphBuilder()
  const bindings: Record<string, Value> = {}
  for (const name of weights) {
    const value = graph.initializers.get(name)
    if (value !== undefined) bindings[name] = g.initializer(name, value)
  }
  const { outputs } = g.callWithInputs(graph, (name) => name, bindings)
  const sums = Object.values(outputs).map((out) => g.reduceSum(g.cast(out, "float32"), [], false))
  return g.build({ "tandem.loss": sums.reduce((sum, value) => g.add(sum, value)) }, graph.name)
}

const costOf = (
  graph: Graph,
  joint: Graph | undefined,
  wrt: readonly string[],
): Omit<StepEstimate, "batch" | "length"> => {
  const trained = new Set(wrt)
  const elements = (names: Iterable<string>) =>
    [...names].reduce((sum, name) => sum + elementCount(graph.initializers.get(name)?.dims ?? [0]), 0)
  const weights = 4 * elements(graph.initializers.keys())
  const gradients = 4 * elements(trained)
  const optimizer = 2 * gradients
  const activations = peakBytes(joint ?? graph, new Set(wrt.map(gradientName)))
  return {
    memory: { weights, gradients, optimizer, activations, total: weights + gradients + optimizer + activations },
    flops: { forward: productFlops(graph), step: productFlops(joint ?? graph) },
  }
}

/** Which weights the outputs depend on, and which of them lie behind a gap. */
const reachOf = (
  graph: Graph,
  outputs: readonly string[],
  weights: readonly string[],
  gaps: readonly ModelGap[],
): Reach => {
  const blocked = new Map<string, string>()
  const places = new Map(graph.nodes.toReversed().map((node) => [node.name, node]))
  // The first gap counts that stands in front of a weight, or of the model as a whole.
  const whole = gaps.findIndex(({ node }) => !places.has(node))
  const before = (whole < 0 ? gaps : gaps.slice(0, whole)).flatMap((gap) => {
    const values = gap.input === undefined ? (places.get(gap.node)?.inputs ?? []) : [gap.input]
    return values.map((value) => ({ value, gap }))
  })
  const values = before.map(({ value }) => value)
  for (const [name, at] of firstInfluences(graph, values, weights)) {
    const { node, op, reason } = before[at]!.gap
    blocked.set(name, `behind ${op} (${node}): ${reason}`)
  }
  for (const name of whole < 0 ? [] : weights) if (!blocked.has(name)) blocked.set(name, gaps[whole]!.reason)
  return { connected: new Set(firstInfluences(graph, outputs, weights).keys()), blocked }
}
