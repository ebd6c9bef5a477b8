import type { HostKernel } from "@tandem/runtime"

/**
 * How gradients become updates: what is remembered of each parameter between steps, and the host function that moves
 * parameters and memory (optax calls the two `init` and `update`).
 *
 * The function gets, as arrays of equal order, `weights`, `gradients` and every slot under its name, and an
 * {@link UpdateArgument}. It may change all but the gradients.
 */
export interface Optimizer {
  readonly name: string
  /** The memory, slot by slot: for a parameter's dims those of the slot. Slots start at zero. */
  readonly slots: Readonly<Record<string, (dims: readonly number[]) => readonly number[]>>
  readonly kernel: HostKernel
  /** The optimizer's own numbers, such as β1. */
  readonly settings: Readonly<Record<string, number>>
}

/** What an optimizer's function is told about one update. */
export interface UpdateArgument {
  /** The number of updates so far, this one included. */
  readonly count: number
  /** What the gradients are multiplied by first: the mean over passes, and clipping. */
  readonly factor: number
  /** For each array its learning rate η. */
  readonly rates: readonly number[]
  /** For each array its weight decay λ, 0 for none. */
  readonly decays: readonly number[]
  readonly settings: Readonly<Record<string, number>>
}

/** The arrays under a name that a kernel of an optimizer was given. Throws where they are no 32-bit floats. */
export const floats = (
  arrays: Readonly<Record<string, readonly unknown[]>>,
  name: string,
): readonly Float32Array<ArrayBufferLike>[] =>
  (arrays[name] ?? []).map((array) => {
    if (!(array instanceof Float32Array)) throw new Error("optimizers work on 32-bit floats")
    return array
  })

/** Parameters that move otherwise than the rest. */
export interface ParameterGroup {
  /** A pattern for whole names, in which `*` stands for any characters: `generator/*`. */
  readonly pattern: string
  /** Multiplies the schedule's learning rate; 1 where absent. */
  readonly rateScale?: number
  /** λ; that of all where absent. */
  readonly weightDecay?: number
}

/** What decides how parameters are updated, apart from the schedule. */
export interface UpdateSettings {
  readonly optimizer: Optimizer
  /** Largest global norm of the gradient; a longer one is scaled down to it. 0 for no limit; 1 where absent. */
  readonly clip?: number
  /** λ, applied apart from the gradient and scaled by the learning rate; .01 where absent. */
  readonly weightDecay?: number
  /** Whether a parameter of that name and shape decays; `decaysByDefault` where absent. */
  readonly decays?: (name: string, dims: readonly number[]) => boolean
  /** The first whose pattern fits a name applies to it. */
  readonly groups?: readonly ParameterGroup[]
}

/** Everything decays but biases and the scales of norms, which are the parameters of rank 0 and 1. */
export const decaysByDefault = (_name: string, dims: readonly number[]): boolean => dims.length > 1

/**
 * The gradients' global norm, √Σ g² · scale, from the sum of squares of each, and the factor that they are to be
 * multiplied by: `scale`, times clip / (norm + 1e-6) where the norm is larger than `clip` (0 for no limit).
 */
export const clipping = (
  squares: readonly number[],
  { scale, clip }: { readonly scale: number; readonly clip: number },
): { readonly norm: number; readonly factor: number } => {
  const norm = Math.sqrt(squares.reduce((sum, value) => sum + value, 0)) * scale
  return { norm, factor: scale * (clip === 0 ? 1 : Math.min(1, clip / (norm + 1e-6))) }
}
