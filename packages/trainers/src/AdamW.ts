import { kernels } from "./Kernels.ts"
import type { Optimizer } from "./Optimizer.ts"

/** AdamW's own numbers. */
export interface AdamWSettings {
  /** How much of the first moment is kept; .9 where absent. */
  readonly beta1?: number
  /** How much of the second moment is kept; .999 where absent. */
  readonly beta2?: number
  /** ε; 1e-8 where absent. */
  readonly epsilon?: number
}

/**
 * AdamW (Loshchilov & Hutter, 2019, algorithm 2): with moments m, v of the clipped gradient and their bias corrected,
 * `w ← w · (1 − η·λ) − η · m̂ / (√v̂ + ε)`. Two slots of the parameter's shape, `first` and `second`. PyTorch's defaults.
 */
export const adamW = ({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 }: AdamWSettings = {}): Optimizer => ({
  name: "adamw",
  slots: { first: (dims) => dims, second: (dims) => dims },
  kernel: kernels.adamw,
  settings: { beta1, beta2, epsilon },
})
