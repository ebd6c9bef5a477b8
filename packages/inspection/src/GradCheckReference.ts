import { differentiate, gradientName, influences, type RuleTable } from "@tandem/autodiff"
import { toFloat32 } from "@tandem/models"
import { putBlock, takeBlock } from "@tandem/models/exported/MatchBlocks"
import { matchParameters, type ParameterMatch, transposeLast } from "@tandem/models/exported/MatchParameters"
import { onlyOutputs, prepareGraph } from "@tandem/models/exported/PrepareGraph"
import { requireNumbers, storedSettings, storedTensors, weightsOf } from "@tandem/models/exported/TrainableParameters"
import { fuse, type Graph, staticDims, type Tensor } from "@tandem/onnx"
import { Runtime, specialize } from "@tandem/runtime"
import { Effect } from "effect"
import { type InspectionError, InvalidReference } from "./Errors.ts"
import type { GradCheckReport, ParameterCheck } from "./GradCheckReport.ts"
import { blameInputs, preferGaps } from "./internal/AsWritten.ts"
import { attemptGradient, thrownAsFailures } from "./internal/Attempt.ts"
import { lossOf, lossOutputs, withLoss } from "./internal/LossGraph.ts"
import { fitInput } from "./SampleInputs.ts"

/** What `checkAgainstReference` takes besides the model. */
export interface ReferenceOptions {
  readonly reference: ReadonlyMap<string, Tensor>
  /** Values of inputs by name, in the place of those of the reference. */
  readonly inputs?: ReadonlyMap<string, Tensor>
  readonly rtol?: number
  readonly rules?: RuleTable
}

/** Largest error of the loss, relative to the mean of |out · R|. */
const lossTolerance = 1e-5

/** Compares loss and gradients of an exported model with a reference's. See `gradCheck`. */
export const checkAgainstReference = Effect.fnUntraced(function* (
  model: Graph,
  { reference, inputs: given, rtol = 1e-4, rules }: ReferenceOptions,
): Effect.fn.Return<GradCheckReport, InspectionError, Runtime> {
  const expected = yield* attemptGradient(() => readReference(reference))
  const { inputs, weights, gradients, R } = expected
  const prepared = yield* attemptGradient(() => firstOutput(prepareGraph(model)))
  const stored = [...storedTensors(model)].filter(([name]) => prepared.initializers.has(name))
  yield* attemptGradient(() => requireNumbers(new Map(stored)))
  const matches = matchParameters(new Map(stored), weights, gradients)
  const partners = new Set(matches.matched.flatMap((match) => match.partners.map(({ name }) => name)))
  const feeds: Record<string, Tensor> = {}
  for (const input of prepared.inputs) {
    feeds[input.name] = yield* attemptGradient(() => fitInput(input, given?.get(input.name) ?? inputs.get(input.name)))
  }
  const shapes = Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims]))
  const specialized = yield* thrownAsFailures(specialize(prepared, shapes, { parameters: partners })).pipe(
    preferGaps(prepared, [...partners], rules),
  )
  const graph = yield* attemptGradient(() => fuse(specialized))
  yield* attemptGradient(() => requireShape(graph, R))
  const lossGraph = yield* attemptGradient(() => withLoss(graph, partners, R))
  const wrt = influences(lossGraph, lossOutputs.loss, partners)
  const joint = yield* attemptGradient(() =>
    differentiate(lossGraph, { loss: lossOutputs.loss, wrt, ...(rules === undefined ? {} : { rules }) }),
  )
  for (const name of wrt) feeds[name] = graph.initializers.get(name)!
  const results = yield* Effect.scoped(
    Effect.gen(function* () {
      const executable = yield* (yield* Runtime).compile(joint)
      return yield* blameInputs(executable.run(feeds))
    }),
  )
  const out = toFloat32(results[lossOutputs.out]!, lossOutputs.out).data
  const gradientOf = (name: string) => results[gradientName(name)]
  const checks = compare(matches.matched, gradients, gradientOf, rtol)
  const loss = lossOf(out, R.data)
  const scale = lossOf(out.map(Math.abs), R.data.map(Math.abs))
  const lossAgrees = Math.abs(loss - expected.loss) <= lossTolerance * scale
  const gradientsAgree = checks.every(({ ok }) => ok)
  return {
    ok: lossAgrees && gradientsAgree && matches.unmatched.length === 0 && matches.ambiguous.length === 0,
    loss,
    lossReference: expected.loss,
    lossAgrees,
    parameters: checks,
    unmatched: matches.unmatched,
    ambiguous: matches.ambiguous,
    rtol,
    outputError: expected.out === undefined ? null : distance(out, expected.out.data) / norm(expected.out.data),
    withoutGradient: matches.matched.map(({ parameter }) => parameter).filter((name) => !gradients.has(name)),
    constants: constantsOnPath(
      graph,
      [...weightsOf(model, prepared).keys()].filter((name) => !partners.has(name)),
    ),
    settings: [...storedSettings(model).keys()],
  }
})

const readReference = (reference: ReadonlyMap<string, Tensor>) => {
  const prefixed = (prefix: string): ReadonlyMap<string, Tensor> =>
    new Map(
      [...reference].flatMap(([name, value]) => (name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [])),
    )
  const [weights, gradients] = [prefixed("w."), prefixed("g.")]
  const [R, loss, out] = [reference.get("R"), reference.get("loss"), reference.get("out")]
  const alone = weights.size === 0 ? [] : [...gradients.keys()].filter((name) => !weights.has(name))
  const absent = [
    ...(R === undefined ? ["R"] : []),
    ...(loss === undefined ? ["loss"] : []),
    ...(weights.size === 0 ? ["w.<parameter>"] : []),
    ...(gradients.size === 0 ? ["g.<parameter>"] : []),
    ...alone.map((name) => `w.${name}`),
  ]
  if (R === undefined || loss === undefined || absent[0] !== undefined) {
    throw new InvalidReference({
      message: `the reference lacks ${absent.join(", ")}`,
      tensor: absent[0] ?? "",
      expected: "in.<input>, R, out, loss, w.<parameter> and g.<parameter>",
    })
  }
  for (const [name, gradient] of gradients) {
    const weight = weights.get(name)
    if (weight === undefined || weight.data.length === gradient.data.length) continue
    throw new InvalidReference({
      message: `the gradient by ${name} has another shape than the parameter`,
      tensor: `g.${name}`,
      expected: `[${weight.dims}]`,
      found: `[${gradient.dims}]`,
    })
  }
  for (const [name, tensor] of reference) requireFinite(name, tensor)
  const value = toFloat32(loss, "loss").data[0] ?? Number.NaN
  return {
    inputs: prefixed("in."),
    weights,
    gradients,
    R: toFloat32(R, "R"),
    loss: value,
    out: out === undefined ? undefined : toFloat32(out, "out"),
  }
}

/** One number that is none would make every comparison with it fail, whatever the gradients are. */
const requireFinite = (name: string, tensor: Tensor): void => {
  const at = /^(R|out|loss|w\..*|g\..*)$/s.test(name)
    ? tensor.data.findIndex((value) => !Number.isFinite(Number(value)))
    : -1
  if (at < 0) return
  throw new InvalidReference({
    message: `${name} of the reference holds what is no finite number`,
    tensor: name,
    expected: "finite numbers",
    found: `${tensor.data[at]} at ${at}`,
  })
}

const firstOutput = (graph: Graph): Graph => {
  const first = graph.outputs[0]
  if (first === undefined) throw new InvalidReference({ message: "the model has no output" })
  return onlyOutputs(graph, [first.name])
}

const requireShape = (graph: Graph, R: Tensor): void => {
  const out = graph.outputs[0]
  const dims = staticDims(out?.dims)
  if (out?.type === "float32" && dims !== undefined && `${dims}` === `${R.dims}`) return
  throw new InvalidReference({
    message: `R does not fit the model's first output ${out?.name}`,
    tensor: "R",
    expected: `${out?.type}[${dims ?? "?"}]`,
    found: `${R.type}[${R.dims}]`,
  })
}

/** ‖Δ‖ of every parameter relative to max(‖g‖, 1e-3 · the largest ‖g‖): some gradients are zero by symmetry. */
const compare = (
  matched: readonly ParameterMatch[],
  gradients: ReadonlyMap<string, Tensor>,
  gradientOf: (name: string) => Tensor | undefined,
  rtol: number,
): readonly ParameterCheck[] => {
  const pairs = matched.flatMap(({ parameter, partners }) => {
    const gradient = gradients.get(parameter)
    return gradient === undefined ? [] : [{ parameter, partners, expected: toFloat32(gradient, parameter) }]
  })
  const largest = Math.max(0, ...pairs.map(({ expected }) => norm(expected.data)))
  return pairs.map(({ parameter, partners, expected }) => {
    const turned = transposeLast(expected)
    // The sum over tied copies, in the reference's layout; what the loss does not depend on adds nothing.
    const sum = new Float64Array(expected.data.length)
    for (const { name, transposed, scale: factor = 1, from, to, dims } of partners) {
      const gradient = gradientOf(name)
      if (gradient === undefined) continue
      const stored = transposed ? turned.dims : expected.dims
      const whole = toFloat32({ ...gradient, dims: dims ?? stored }, name)
      const part = from === undefined ? whole : takeBlock(whole, from, stored)
      const value = to === undefined ? part : putBlock(part, to, stored)
      const { data } = transposed ? transposeLast(value) : value
      for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + factor * data[i]!
    }
    const size = Math.max(norm(expected.data), 1e-3 * largest)
    const difference = distance(sum, expected.data)
    const relativeError = difference === 0 ? 0 : difference / size
    const [first] = partners
    return {
      name: parameter,
      partner: first?.name ?? "",
      transposed: first?.transposed ?? false,
      ...(partners.length > 1 || first?.scale !== undefined || first?.from !== undefined ? { partners } : {}),
      relativeError,
      ok: relativeError <= rtol,
    }
  })
}

/** Those of the named tensors that the output depends on. */
const constantsOnPath = (graph: Graph, names: readonly string[]): readonly string[] =>
  influences(
    graph,
    graph.outputs[0]?.name ?? "",
    names.filter((name) => graph.initializers.has(name)),
  )

const norm = (values: ArrayLike<number>): number => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i]! * values[i]!
  return Math.sqrt(sum)
}

const distance = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2
  return Math.sqrt(sum)
}
