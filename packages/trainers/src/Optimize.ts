import { matchesPattern, partOf } from "@tandem/onnx"
import { type Buffer, type RunFailed, Runtime } from "@tandem/runtime"
import { Effect } from "effect"
import { InvalidSettings } from "./Errors.ts"
import { kernels } from "./Kernels.ts"
import { clipping, decaysByDefault, type UpdateArgument, type UpdateSettings } from "./Optimizer.ts"
import type { ResidentState } from "./TrainState.ts"

/** One update. */
export interface Update {
  /** The schedule's learning rate of this step. */
  readonly learningRate: number
  /** Updates so far, this one included. */
  readonly count: number
  /** Takes the sums over several passes, divided by so many batches, instead of the last pass' gradients. */
  readonly batches?: number
}

/** What an update measured: norms before clipping. */
export interface UpdateNorms {
  readonly gradNorm: number
  /** By part, in the order of the parameters. */
  readonly parts: Readonly<Record<string, number>>
}

/**
 * The optimizer's update of all trained parameters, in as many threads as the device has. A gradient whose norm is not
 * finite changes nothing. The numbers do not depend on the threads.
 */
export const optimize = Effect.fnUntraced(function* (
  state: ResidentState,
  settings: UpdateSettings,
  { learningRate, count, batches }: Update,
): Effect.fn.Return<UpdateNorms, RunFailed, Runtime> {
  const runtime = yield* Runtime
  const gradients = batches === undefined ? state.gradients : yield* state.sums
  const threads = evenParts(gradients, runtime.device.threads)
  const pick = <A>(values: readonly A[], indices: readonly number[]): readonly A[] =>
    indices.map((index) => values[index]!)
  const sums = yield* runtime.callEach(
    kernels.squares,
    threads.map((indices) => ({ buffers: { gradients: pick(gradients, indices) }, argument: null })),
  )
  // Added in the parameters' order, whatever thread they come from.
  const squares = gradients.map(() => 0)
  for (const [at, indices] of threads.entries()) {
    const found = sums[at]
    for (const [place, index] of indices.entries())
      squares[index] = Array.isArray(found) ? Number(found[place]) : Number.NaN
  }
  const scale = 1 / (batches ?? 1)
  const { norm, factor } = clipping(squares, { scale, clip: settings.clip ?? 1 })
  const norms = { gradNorm: norm, parts: partNorms(state.trainable, squares, scale) }
  if (!Number.isFinite(norm)) return norms
  const { optimizer } = settings
  const weights = state.trainable.map((name) => state.weights[name]!)
  const rules = state.trainable.map((name, index) => ruleOf(settings, name, weights[index]!.dims))
  const argument = (indices: readonly number[]): UpdateArgument => ({
    count,
    factor,
    rates: indices.map((index) => learningRate * rules[index]!.rateScale),
    decays: indices.map((index) => rules[index]!.weightDecay),
    settings: optimizer.settings,
  })
  yield* runtime.callEach(
    optimizer.kernel,
    threads.map((indices) => ({
      buffers: {
        weights: pick(weights, indices),
        gradients: pick(gradients, indices),
        ...Object.fromEntries(Object.entries(state.slots).map(([name, slot]) => [name, pick(slot, indices)])),
      },
      argument: argument(indices),
    })),
  )
  return norms
})

const ruleOf = (settings: UpdateSettings, name: string, dims: readonly number[]) => {
  const group = settings.groups?.find(({ pattern }) => matchesPattern(pattern, name))
  const { weightDecay = settings.weightDecay ?? 0.01, rateScale = 1 } = group ?? {}
  return { rateScale, weightDecay: (settings.decays ?? decaysByDefault)(name, dims) ? weightDecay : 0 }
}

const partNorms = (names: readonly string[], squares: readonly number[], scale: number) => {
  const parts: Record<string, number> = {}
  for (const [index, name] of names.entries()) parts[partOf(name)] = (parts[partOf(name)] ?? 0) + squares[index]!
  return Object.fromEntries(Object.entries(parts).map(([part, sum]) => [part, Math.sqrt(sum) * scale]))
}

/** Groups that no trained parameter belongs to are refused: what they say would be without effect. */
export const checkGroups = (
  { groups = [] }: UpdateSettings,
  trainable: readonly string[],
): Effect.Effect<void, InvalidSettings> => {
  const idle = groups.find(({ pattern }) => !trainable.some((name) => matchesPattern(pattern, name)))
  if (idle === undefined) return Effect.void
  return Effect.fail(
    new InvalidSettings({
      message: `no parameter that is trained is called ${idle.pattern}`,
      field: "groups",
      expected: `a pattern for names such as ${trainable.slice(0, 2).join(" and ")}`,
      found: idle.pattern,
    }),
  )
}

/** Deals indices of buffers to at most so many parts of about equal size: the largest first, each to the smallest part. */
export const evenParts = (buffers: readonly Buffer[], count: number): readonly (readonly number[])[] => {
  const sizes = buffers.map(({ dims }) => dims.reduce((product, dim) => product * dim, 1))
  const parts = Array.from({ length: Math.max(1, count) }, (): { size: number; indices: number[] } => ({
    size: 0,
    indices: [],
  }))
  for (const index of [...sizes.keys()].sort((a, b) => sizes[b]! - sizes[a]! || a - b)) {
    const smallest = parts.reduce((best, part) => (part.size < best.size ? part : best))
    smallest.size += sizes[index]!
    smallest.indices.push(index)
  }
  return parts.filter((part) => part.indices.length > 0).map((part) => part.indices.sort((a, b) => a - b))
}
