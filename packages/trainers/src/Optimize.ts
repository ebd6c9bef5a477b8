import { type Buffer, type RunFailed, Runtime } from "@tandem/runtime"
import { Effect } from "effect"
import { type AdamW, clipping, kernels } from "./AdamW.ts"
import type { AdamWArgument } from "./internal/adamwKernel.ts"
import type { ResidentState } from "./TrainState.ts"

/**
 * The optimizer's update of all trained parameters, in as many threads as the device has. Returns the gradient's global
 * norm before clipping; one that is not finite changes nothing. The numbers do not depend on the threads.
 */
export const optimize = Effect.fnUntraced(function* (
  state: ResidentState,
  optimizer: AdamW,
  step: {
    readonly learningRate: number
    /** Updates so far, this one included. */
    readonly count: number
    /** Batches whose gradients were summed up. */
    readonly batches: number
  },
): Effect.fn.Return<number, RunFailed, Runtime> {
  const runtime = yield* Runtime
  const gradients = step.batches > 1 ? state.sums : state.gradients
  const parts = evenParts(gradients, runtime.device.threads)
  const pick = <A>(values: readonly A[], part: readonly number[]): readonly A[] => part.map((index) => values[index]!)
  const sums = yield* runtime.callEach(
    kernels.squares,
    parts.map((part) => ({ buffers: { gradients: pick(gradients, part) }, argument: null })),
  )
  // Added in the parameters' order, whatever thread they come from.
  const squares = gradients.map(() => 0)
  for (const [at, part] of parts.entries()) {
    const found = sums[at]
    for (const [place, index] of part.entries())
      squares[index] = Array.isArray(found) ? Number(found[place]) : Number.NaN
  }
  const { norm, factor } = clipping(squares, { scale: 1 / step.batches, clip: optimizer.clip })
  if (!Number.isFinite(norm)) return norm
  const { beta1, beta2, epsilon, weightDecay, decays } = optimizer
  const argument: Omit<AdamWArgument, "decay"> = {
    beta1,
    beta2,
    epsilon,
    weightDecay,
    learningRate: step.learningRate,
    count: step.count,
    factor,
  }
  const weights = state.trainable.map((name) => state.weights[name]!)
  yield* runtime.callEach(
    kernels.adamw,
    parts.map((part) => ({
      buffers: {
        weights: pick(weights, part),
        gradients: pick(gradients, part),
        first: pick(state.first, part),
        second: pick(state.second, part),
      },
      argument: { ...argument, decay: part.map((index) => decays(state.trainable[index]!, weights[index]!.dims)) },
    })),
  )
  return norm
})

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
