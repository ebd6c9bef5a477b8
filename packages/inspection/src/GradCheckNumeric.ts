import { differentiate, gradientName, influences, type RuleTable } from "@tandem/autodiff"
import { toFloat32 } from "@tandem/models"
import { onlyOutputs, prepareGraph } from "@tandem/models/exported/PrepareGraph"
import { requireNumbers, storedSettings, storedTensors, weightsOf } from "@tandem/models/exported/TrainableParameters"
import {
  elementCount,
  type Float32Tensor,
  fuse,
  type Graph,
  staticDims,
  type Tensor,
  UnsupportedModel,
} from "@tandem/onnx"
import { truncatedNormals, uniforms, xorshift128 } from "@tandem/random"
import { type Buffer, Runtime, specialize } from "@tandem/runtime"
import { Effect } from "effect"
import type { InspectionError } from "./Errors.ts"
import type { GradCheckReport, ParameterCheck } from "./GradCheckReport.ts"
import { blameInputs, preferGaps } from "./internal/AsWritten.ts"
import { attemptGradient, thrownAsFailures } from "./internal/Attempt.ts"
import { lossOf, lossOutputs, withLoss } from "./internal/LossGraph.ts"
import { compareDerivative } from "./NumericDerivative.ts"
import { type SampleShape, sampleInputs } from "./SampleInputs.ts"

/** What `checkNumerically` takes besides the model. */
export interface NumericOptions extends SampleShape {
  /** Values of inputs by name; the others are made up. */
  readonly inputs?: ReadonlyMap<string, Tensor>
  readonly rtol?: number
  readonly rules?: RuleTable
  /** Random directions for each parameter, besides that of its gradient (default 2). */
  readonly draws?: number
  /** Told after each parameter. */
  readonly onProgress?: (done: number, total: number) => void
}

/** The longest step, as a share of a parameter's own length. */
const longestStep = 0.04

/** Compares derivatives in random directions with finite differences. See `gradCheck`. */
export const checkNumerically = Effect.fnUntraced(function* (
  model: Graph,
  options: NumericOptions,
): Effect.fn.Return<GradCheckReport, InspectionError, Runtime> {
  const { rtol = 1e-2, rules, draws = 2, seed = 0, onProgress = () => undefined } = options
  const prepared = yield* attemptGradient(() => {
    const upgraded = prepareGraph(model)
    const first = upgraded.outputs[0]
    return first === undefined ? upgraded : onlyOutputs(upgraded, [first.name])
  })
  const feeds = { ...(yield* attemptGradient(() => sampleInputs(prepared, options.inputs, options))) }
  const shapes = Object.fromEntries(Object.entries(feeds).map(([name, { dims }]) => [name, dims]))
  yield* attemptGradient(() => requireNumbers(storedTensors(model)))
  const candidates = weightsOf(model, prepared)
  const specialized = yield* thrownAsFailures(
    specialize(prepared, shapes, { parameters: new Set(candidates.keys()) }),
  ).pipe(preferGaps(prepared, [...candidates.keys()], rules))
  const graph = yield* attemptGradient(() => fuse(specialized))
  const R = yield* attemptGradient(() => cotangent(graph, seed))
  const lossGraph = yield* attemptGradient(() => withLoss(graph, candidates.keys(), R))
  const wrt = influences(lossGraph, lossOutputs.loss, candidates.keys())
  if (wrt.length === 0) {
    return yield* new UnsupportedModel({
      message: "no float32 weight influences the model's first output, so there is nothing to check",
      hint: "use the full-precision export",
    })
  }
  const joint = yield* attemptGradient(() =>
    differentiate(lossGraph, { loss: lossOutputs.loss, wrt, ...(rules === undefined ? {} : { rules }) }),
  )
  const parameters: ReadonlyMap<string, Float32Tensor> = new Map(
    wrt.map((name) => [name, toFloat32(graph.initializers.get(name)!, name)]),
  )
  const results = yield* Effect.scoped(
    Effect.gen(function* () {
      const executable = yield* (yield* Runtime).compile(joint)
      const run = executable.run({ ...feeds, ...Object.fromEntries(parameters) })
      return yield* options.inputs === undefined ? run : blameInputs(run)
    }),
  )
  const loss = lossOf(toFloat32(results[lossOutputs.out]!, lossOutputs.out).data, R.data)
  const gradients = new Map(wrt.map((name) => [name, toFloat32(results[gradientName(name)]!, name).data]))
  const checks = yield* Effect.scoped(
    Effect.gen(function* () {
      const runtime = yield* Runtime
      const executable = yield* runtime.compile(withParameterInputs(graph, parameters))
      const resident: Record<string, Buffer> = {}
      for (const [name, value] of parameters) resident[name] = yield* runtime.upload(value)
      const lossAt = (name: string, data: Float32Array) =>
        Effect.map(
          executable.run({
            ...feeds,
            ...resident,
            [name]: { type: "float32", dims: parameters.get(name)!.dims, data },
          }),
          (found) => lossOf(toFloat32(Object.values(found)[0]!, lossOutputs.out).data, R.data),
        )
      const noise = yield* roundingOf(lossAt, parameters, loss, seed)
      const largest = Math.max(...[...gradients.values()].map(norm))
      const made: ParameterCheck[] = []
      for (const [index, [name, { data }]] of [...parameters].entries()) {
        const gradient = gradients.get(name)!
        const directions = [
          { direction: gradient, along: "gradient" as const },
          ...Array.from({ length: draws }, (_, draw) => ({
            direction: signs(data.length, seed + 7919 * (index * draws + draw) + 1),
            along: "random" as const,
          })),
        ]
        let [relativeError, resolution] = [0, 0]
        for (const { direction, along } of directions) {
          const length = norm(direction)
          // One direction in which a gradient is wrong is enough.
          if (length === 0 || relativeError > rtol) continue
          const scale =
            (along === "gradient" ? 1 : 1 / Math.sqrt(data.length)) * Math.max(norm(gradient), 1e-3 * largest)
          const analytic = dot(gradient, direction) / length
          const found = yield* compareDerivative(
            (x) =>
              lossAt(
                name,
                data.map((value, at) => value + (x / length) * direction[at]!),
              ),
            {
              analytic,
              scale,
              step:
                (along === "gradient" ? longestStep / 4 : longestStep) *
                Math.max(norm(data), 0.1 * Math.sqrt(data.length)),
              noise,
              rtol,
            },
          )
          relativeError = Math.max(relativeError, found.relativeError)
          resolution = Math.max(resolution, found.resolution)
        }
        const ok = relativeError <= rtol
        made.push({ name, partner: name, transposed: false, relativeError, ok, resolution })
        onProgress(index + 1, parameters.size)
      }
      return made
    }),
  )
  return {
    ok: checks.every(({ ok }) => ok),
    loss,
    lossReference: null,
    lossAgrees: true,
    parameters: checks,
    unmatched: [],
    ambiguous: [],
    rtol,
    outputError: null,
    withoutGradient: [],
    constants: [],
    settings: [...storedSettings(model).keys()],
  }
})

/** A random R of the first output's shape. */
const cotangent = (graph: Graph, seed: number): Float32Tensor => {
  const out = graph.outputs[0]
  const dims = staticDims(out?.dims)
  if (out?.type !== "float32" || dims === undefined) {
    throw new UnsupportedModel({
      message: `the model's first output ${out?.name ?? ""} holds no 32-bit floats`,
      expected: "float32",
      found: `${out?.type ?? "no output"}`,
    })
  }
  const normal = truncatedNormals(xorshift128(seed + 1))
  return { type: "float32", dims, data: Float32Array.from({ length: elementCount(dims) }, normal) }
}

const withParameterInputs = (graph: Graph, parameters: ReadonlyMap<string, Float32Tensor>): Graph => ({
  ...graph,
  inputs: [...graph.inputs, ...[...parameters].map(([name, { type, dims }]) => ({ name, type, dims }))],
  initializers: new Map([...graph.initializers].filter(([name]) => !parameters.has(name))),
})

/** How much the loss moves by rounding alone: where parameters move by less than anything but rounding would show. */
const roundingOf = Effect.fnUntraced(function* <E, R>(
  lossAt: (name: string, data: Float32Array) => Effect.Effect<number, E, R>,
  parameters: ReadonlyMap<string, Float32Tensor>,
  loss: number,
  seed: number,
) {
  const names = [...parameters.keys()]
  let squares = 0
  const count = 6
  for (let draw = 0; draw < count; draw++) {
    const name = names[Math.floor((draw * names.length) / count)]!
    const { data } = parameters.get(name)!
    const random = uniforms(xorshift128(seed + draw))
    const found = yield* lossAt(
      name,
      data.map((value) => value * (1 + 4e-7 * (random() - 0.5))),
    )
    squares += (found - loss) ** 2
  }
  return Math.max(Math.sqrt(squares / count), 1e-8 * Math.abs(loss), Number.MIN_VALUE)
})

/** A direction whose elements are all equally large. */
const signs = (length: number, seed: number): Float32Array => {
  const random = uniforms(xorshift128(seed))
  return Float32Array.from({ length }, () => (random() < 0.5 ? -1 : 1))
}

const norm = (values: Float32Array): number => Math.sqrt(dot(values, values))

const dot = (a: Float32Array, b: Float32Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}
