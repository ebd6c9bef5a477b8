import type { HostKernel } from "@tandem/runtime"

/**
 * AdamW (Loshchilov & Hutter, 2019, algorithm 2): with moments m, v of the clipped gradient and their bias corrected,
 * `w ← w · (1 − η·λ) − η · m̂ / (√v̂ + ε)`, the decay only where `decays` says so.
 */
export interface AdamW {
  readonly beta1: number
  readonly beta2: number
  readonly epsilon: number
  /** λ, applied apart from the gradient and scaled by the learning rate. */
  readonly weightDecay: number
  /** Largest global norm of the gradient; a longer one is scaled down to it. 0 for no limit. */
  readonly clip: number
  /** Whether a parameter of that name and shape decays. */
  readonly decays: (name: string, dims: readonly number[]) => boolean
}

/** Everything decays but biases and the scales of norms, which are the parameters of rank 0 and 1. */
export const decaysByDefault = (_name: string, dims: readonly number[]): boolean => dims.length > 1

/** PyTorch's defaults, with weight decay .01 and clipping at norm 1. */
export const adamWDefaults: AdamW = {
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  clip: 1,
  decays: decaysByDefault,
}

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

const kernel = (module: string, name: string): HostKernel => ({
  module: new URL(
    import.meta.url.endsWith(".ts") ? `./internal/${module}.ts` : `./internal/${module}.js`,
    import.meta.url,
  ).href,
  name,
})

/** The host functions of the trainer, which run where the runtime keeps its buffers. */
export const kernels = {
  squares: kernel("adamwKernel", "squares"),
  adamw: kernel("adamwKernel", "adamw"),
  accumulate: kernel("adamwKernel", "accumulate"),
  clear: kernel("adamwKernel", "clear"),
  addRows: kernel("rowsKernel", "addRows"),
  masks: kernel("maskKernel", "masks"),
} as const
